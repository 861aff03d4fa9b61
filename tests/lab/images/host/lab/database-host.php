<?php
// Where the database is: what the environment says, else what an operator has written into a file, else here.
function lab_database_host(): string
{
    $written = @file_get_contents('/etc/wordpress/database-host');
    return getenv('LAB_DATABASE') ?: trim((string) $written) ?: '127.0.0.1';
}

// A connection that is made, and answers, within a second or two; none otherwise.
function lab_database(): ?mysqli
{
    mysqli_report(MYSQLI_REPORT_OFF);
    $link = mysqli_init();
    $link->options(MYSQLI_OPT_CONNECT_TIMEOUT, 1);
    $link->options(MYSQLI_OPT_READ_TIMEOUT, 3);
    $reached = @$link->real_connect(lab_database_host(), 'wordpress', 'wordpress', 'wordpress');
    return $reached ? $link : null;
}
