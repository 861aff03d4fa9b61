<?php
// Answers after ?ms=N. A loop, because a signal (Apache's graceful stop) ends a sleep early.
$end = microtime(true) + min(60000, max(0, (int) ($_GET['ms'] ?? 1000))) / 1000;
while (($left = $end - microtime(true)) > 0) {
    usleep((int) ($left * 1e6));
}
echo "Done.\n";
