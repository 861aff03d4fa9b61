set -e
if ! [ -d /var/lib/mysql/mysql ]; then
    mariadb-install-db --user=mysql --skip-test-db >/dev/null
fi
exec mariadbd --user=mysql --bind-address=0.0.0.0 --skip-name-resolve --init-file=/etc/mysql/wordpress.sql
