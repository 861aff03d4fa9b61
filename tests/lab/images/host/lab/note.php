<?php
// POST ?id=N writes a note of that id, once for each request that arrives: 201 when it is written. GET tells how many
// notes of each id there are, so that one who wrote can see which arrived, and whether any did twice.
require 'database-host.php';
$link = lab_database();
if ($_SERVER['REQUEST_METHOD'] === 'POST') {
    $id = $link?->real_escape_string($_GET['id'] ?? '');
    $written = $link?->query("INSERT INTO lab_notes (id, host) VALUES ('$id', '" . gethostname() . "')");
    http_response_code($written ? 201 : 503);
} else {
    $rows = $link?->query('SELECT id, COUNT(*) FROM lab_notes GROUP BY id');
    http_response_code($rows ? 200 : 503);
    echo json_encode($rows ? array_column($rows->fetch_all(), 1, 0) : null);
}
