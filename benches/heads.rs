//! What reading a request's head costs, and what its classification adds: nothing that can be
//! measured when the head is plain. The last rows are AWS's own classifier on the same heads.

#![allow(clippy::unwrap_used, reason = "a bench may fail loudly")]

use divan::{Bencher, black_box};
use http_desync_guardian::request_analyzer::HttpRequestData;

use elbow::http1::{HeadLimits, HeadScanner, RequestHead, classify};

const GET: &[u8] = b"GET /shop/index.html?page=3&sort=price HTTP/1.1\r\nHost: www.example.com\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n\
    Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n\
    Accept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n\
    Connection: keep-alive\r\nCookie: session=0123456789abcdef0123456789abcdef\r\n\
    Upgrade-Insecure-Requests: 1\r\nCache-Control: no-cache\r\n\r\n";
const POST: &[u8] = b"POST /cart HTTP/1.1\r\nHost: www.example.com\r\nAccept: */*\r\n\
    Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 27\r\n\
    Content-Security-Token: 0123456789abcdef\r\nCookie: session=0123456789abcdef\r\n\r\n";
const AMBIGUOUS: &[u8] = b"GET /search HTTP/1.1\r\nHost: www.example.com\r\nAccept: */*\r\n\
    Content-Type: application/json\r\nContent-Length: 27\r\n\r\n";
const BARE_LF: &[u8] =
    b"GET /a b HTTP/1.1\nHost: www.example.com\nAccept: */*\nAccept-Language: en\n\n";

fn main() {
    divan::main();
}

fn read(bencher: Bencher<'_, '_>, head: &[u8]) {
    let limits = HeadLimits {
        start_line: 16 * 1024,
        field: 16 * 1024,
        fields: 64 * 1024,
    };
    bencher.with_inputs(|| head.to_vec()).bench_values(|bytes| {
        let mut scanner = HeadScanner::request(limits);
        let end = scanner.scan(&bytes).unwrap().unwrap();
        RequestHead::read(bytes, end, scanner.objection()).unwrap()
    });
}

#[divan::bench]
fn read_get(bencher: Bencher<'_, '_>) {
    read(bencher, GET);
}

#[divan::bench]
fn read_post(bencher: Bencher<'_, '_>) {
    read(bencher, POST);
}

#[divan::bench]
fn read_ambiguous(bencher: Bencher<'_, '_>) {
    read(bencher, AMBIGUOUS);
}

#[divan::bench]
fn read_and_say_anew(bencher: Bencher<'_, '_>) {
    read(bencher, BARE_LF);
}

/// What every request would cost if each were classified from its bytes.
#[divan::bench]
fn classify_get(bencher: Bencher<'_, '_>) {
    bencher.bench(|| classify(black_box(GET)));
}

#[divan::bench]
fn guardian_get(bencher: Bencher<'_, '_>) {
    bencher.bench(|| HttpRequestData::analyze_raw_request(black_box(GET)).tier);
}

#[divan::bench]
fn guardian_ambiguous(bencher: Bencher<'_, '_>) {
    bencher.bench(|| HttpRequestData::analyze_raw_request(black_box(AMBIGUOUS)).tier);
}
