# start.sh [database] [wordpress]: what this host is. One that is both runs MariaDB beside Apache.
set -e
database() {
    [ -d /var/lib/mysql/mysql ] || mariadb-install-db --user=mysql --skip-test-db >/dev/null
    exec mariadbd --user=mysql --server-id="${LAB_SERVER_ID:-1}" --init-file=/etc/mysql/wordpress.sql
}
case "$*" in
database) database ;;
*database*) database & ;;
esac
# After a kill Apache would take the pid in its old pid file for itself.
rm -f /run/apache2/apache2.pid
. /etc/apache2/envvars
mkdir -p "$APACHE_RUN_DIR" "$APACHE_LOCK_DIR"
exec apache2 -D FOREGROUND
