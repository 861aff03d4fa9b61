# After a kill Apache would take the pid in its old pid file for itself.
rm -f /run/apache2/apache2.pid
. /etc/apache2/envvars
mkdir -p "$APACHE_RUN_DIR" "$APACHE_LOCK_DIR"
exec apache2 -D FOREGROUND
