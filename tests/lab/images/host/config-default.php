<?php
// Read by Debian's wp-config.php. Every host derives the same keys from one secret, so that a login made at one is good
// at the others.
define('DB_NAME', 'wordpress');
define('DB_USER', 'wordpress');
define('DB_PASSWORD', 'wordpress');
require '/usr/share/wordpress/lab/database-host.php';
define('DB_HOST', lab_database_host());
define('WP_HOME', getenv('LAB_URL'));
define('WP_SITEURL', getenv('LAB_URL'));
define('WP_CONTENT_DIR', '/var/lib/wordpress/wp-content');
define('FORCE_SSL_ADMIN', strncmp(getenv('LAB_URL'), 'https:', 6) === 0);
foreach (['AUTH', 'SECURE_AUTH', 'LOGGED_IN', 'NONCE'] as $name) {
    define("{$name}_KEY", hash_hmac('sha256', "$name key", 'not a secret: a lab'));
    define("{$name}_SALT", hash_hmac('sha256', "$name salt", 'not a secret: a lab'));
}
// No way out of the lab: without these WordPress waits for outside services.
define('WP_HTTP_BLOCK_EXTERNAL', true);
define('DISABLE_WP_CRON', true);
define('AUTOMATIC_UPDATER_DISABLED', true);
