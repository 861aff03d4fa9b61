<?php
// Before every page of PHP: this host's own fault, if it is to have one.
if (is_file('/run/lab-fault-500')) {
    http_response_code(500);
    exit("A fault that the lab has ordered.\n");
}
