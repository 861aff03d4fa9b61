<?php
// 200 if the database answers within a second, 503 otherwise.
mysqli_report(MYSQLI_REPORT_OFF);
$link = mysqli_init();
$link->options(MYSQLI_OPT_CONNECT_TIMEOUT, 1);
$link->options(MYSQLI_OPT_READ_TIMEOUT, 1);
$reached = @$link->real_connect(getenv('LAB_DATABASE'), 'wordpress', 'wordpress', 'wordpress') && $link->query('SELECT 1');
http_response_code($reached ? 200 : 503);
echo $reached ? "The database answers.\n" : "The database does not answer.\n";
