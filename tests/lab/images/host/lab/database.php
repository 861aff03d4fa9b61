<?php
// 200 if the database answers, 503 otherwise.
require 'database-host.php';
$reached = lab_database()?->query('SELECT 1');
http_response_code($reached ? 200 : 503);
echo $reached ? "The database answers.\n" : "The database does not answer.\n";
