//! Clients that send too much of what costs them little: they are sent away and counted by kind,
//! others are served meanwhile, and who does a reasonable amount of the same is left alone.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};

use crate::frames::{
    COMPRESSION_ERROR, CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, Frames,
    HEADERS, NO_ERROR, PING, PRIORITY, RST_STREAM, SETTINGS, WINDOW_UPDATE, fields, frame, get,
    streams,
};
use crate::support::{Certificates, Elbow, Http2Client, SOON, Target, eventually, soon};

/// No data may come on a stream.
const NO_WINDOW: &[(u16, u32)] = &[(4, 0)];

/// A load balancer before a site, and somebody who is served by it.
struct Scene {
    elbow: Elbow,
    target: Target,
    other: Http2Client,
}

impl Scene {
    async fn new() -> Self {
        let gate = Arc::new(Semaphore::new(0));
        let target = Target::holding("/held", &gate).await;
        let elbow = Elbow::before(&[&target], "", "").await;
        let mut other = Http2Client::connect(elbow.address()).await;
        assert_eq!(other.get("/").await.status(), 200);
        Self {
            elbow,
            target,
            other,
        }
    }

    /// Sends `flood` while another client goes on to be served; then the attacker is gone, with a
    /// word of why, and so is all that it held.
    async fn sends_away(mut self, kind: &str, settings: &[(u16, u32)], flood: &[u8]) {
        let mut attacker = Frames::connect(self.elbow.address(), settings).await;
        let attack = async {
            attacker.send(flood).await;
            attacker.sent_away().await
        };
        let (code, ()) = tokio::join!(attack, serves(&mut self.other));
        assert_eq!(code, Some(ENHANCE_YOUR_CALM));
        self.expect_ended(kind).await;
    }

    /// One connection has been ended for this kind, and nothing is left of it.
    async fn expect_ended(mut self, kind: &str) {
        serves(&mut self.other).await;
        drop(self.other);
        expect_ended(&self.elbow, kind).await;
    }

    /// Sends what is reasonable; the connection goes on then.
    async fn bears(mut self, settings: &[(u16, u32)], frames: &[u8]) {
        let mut client = Frames::connect(self.elbow.address(), settings).await;
        client.send(frames).await;
        client.send(&get(100_001, "/")).await;
        loop {
            let frame = client.next().await.expect("the connection goes on");
            if frame.kind == HEADERS && frame.stream == 100_001 {
                break;
            }
        }
        assert_eq!(self.elbow.metric("elbow_http2_floods_total"), 0.0);
        serves(&mut self.other).await;
    }
}

async fn expect_ended(elbow: &Elbow, kind: &str) {
    let counter = format!("elbow_http2_floods_total{{kind=\"{kind}\"}}");
    elbow.expect_metric(&counter, 1.0).await;
    elbow.expect_metric("elbow_http2_floods_total", 1.0).await;
    elbow
        .expect_metric("elbow_errors_total{reason=\"Http2Flood\"}", 1.0)
        .await;
    elbow.expect_metric("elbow_active_connections", 0.0).await;
    eventually(SOON, "no request is on its way to a target", || {
        elbow.metric("elbow_target_connections") == elbow.metric("elbow_target_idle_connections")
    })
    .await;
}

async fn serves(client: &mut Http2Client) {
    for _ in 0..10 {
        assert_eq!(client.get("/").await.status(), 200);
    }
}

fn reset(stream: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes())
}

fn taken_back(count: u32) -> Vec<u8> {
    streams(count)
        .flat_map(|stream| [get(stream, "/held"), reset(stream)].concat())
        .collect()
}

#[tokio::test]
async fn requests_that_are_taken_back_in_one_go_are_a_rapid_reset() {
    let scene = Scene::new().await;
    scene
        .sends_away("RapidReset", &[], &taken_back(1_500))
        .await;
}

#[tokio::test]
async fn requests_that_are_taken_back_one_by_one_are_a_rapid_reset_too() {
    let mut scene = Scene::new().await;
    let mut attacker = Frames::connect(scene.elbow.address(), &[]).await;
    let attack = async {
        for stream in streams(3_000) {
            attacker.send(&get(stream, "/held")).await;
            tokio::task::yield_now().await;
            attacker.send(&reset(stream)).await;
            tokio::task::yield_now().await;
        }
        attacker.sent_away().await
    };
    let (code, ()) = tokio::join!(attack, serves(&mut scene.other));
    assert_eq!(code, Some(ENHANCE_YOUR_CALM));
    let reached = scene.target.requests().len();
    assert!(reached < 1_500, "{reached} requests reached the target");
    scene.expect_ended("RapidReset").await;
}

#[tokio::test]
async fn a_browser_that_leaves_a_page_three_times_is_left_alone() {
    let scene = Scene::new().await;
    let mut client = Frames::connect(scene.elbow.address(), &[]).await;
    for page in 0..3 {
        let requests = || streams(3 * 128).skip(128 * page).take(128);
        let sent: Vec<u8> = requests().flat_map(|stream| get(stream, "/held")).collect();
        client.send(&sent).await;
        let awaited = 128 * (page + 1);
        eventually(SOON, "the page is asked for", || {
            scene.target.requests().len() > awaited
        })
        .await;
        client
            .send(&requests().flat_map(reset).collect::<Vec<u8>>())
            .await;
    }
    scene.bears(&[], &[]).await;
}

#[tokio::test]
async fn whoever_has_begun_to_read_responses_may_stop_as_often_as_it_likes() {
    let scene = Scene::new().await;
    let mut client = Frames::connect(scene.elbow.address(), NO_WINDOW).await;
    for stream in streams(1_500) {
        client.send(&get(stream, "/")).await;
        assert!(client.until(HEADERS).await.is_some());
        client.send(&reset(stream)).await;
    }
    client.send(&get(100_001, "/")).await;
    assert!(client.until(HEADERS).await.is_some());
    assert_eq!(scene.elbow.metric("elbow_http2_floods_total"), 0.0);
}

#[tokio::test]
async fn a_block_of_fields_without_end_is_a_continuation_flood() {
    let mut flood = frame(HEADERS, END_STREAM, 1, &fields("GET", "/"));
    flood.extend(frame(CONTINUATION, 0, 1, &[]).repeat(100));
    Scene::new()
        .await
        .sends_away("Continuation", &[], &flood)
        .await;
}

#[tokio::test]
async fn a_block_of_fields_in_a_few_pieces_is_a_request() {
    let mut request = frame(HEADERS, END_STREAM, 1, &fields("GET", "/"));
    for _ in 0..4 {
        request.extend(frame(CONTINUATION, 0, 1, b"\x00\x01a\x01b"));
    }
    request.extend(frame(CONTINUATION, END_HEADERS, 1, b"\x00\x01a\x01b"));
    Scene::new().await.bears(&[], &request).await;
}

/// A field of 3000 bytes that the other side is told to remember, and how it is said again.
const REMEMBERED: usize = 3_000;
const AGAIN: u8 = 0xbe;

fn remembering() -> Vec<u8> {
    let mut block = fields("GET", "/");
    block.extend(b"\x40\x01x\x7f");
    let mut rest = REMEMBERED - 127;
    while rest >= 128 {
        block.push((rest % 128) as u8 | 0x80);
        rest /= 128;
    }
    block.push(rest as u8);
    block.extend([b'v'; REMEMBERED]);
    block
}

#[tokio::test]
async fn a_few_bytes_that_unpack_to_megabytes_are_a_header_bomb() {
    let mut block = remembering();
    block.extend([AGAIN; 10_000]);
    let flood = frame(HEADERS, END_HEADERS | END_STREAM, 1, &block);
    Scene::new()
        .await
        .sends_away("HeaderBomb", &[], &flood)
        .await;
}

#[tokio::test]
async fn more_than_is_allowed_and_then_a_field_without_end_is_a_header_bomb_too() {
    let mut block = remembering();
    block.extend([AGAIN; 45]);
    block.extend(b"\x00\x01x\x7f\xff\xff\xff\x00");
    block.resize(16_000, b'v');
    let mut flood = frame(HEADERS, END_STREAM, 1, &block);
    flood.extend(frame(CONTINUATION, 0, 1, &[b'v'; 16_000]).repeat(9));
    let scene = Scene::new().await;
    let mut attacker = Frames::connect(scene.elbow.address(), &[]).await;
    attacker.send(&flood).await;
    // RFC 9113 section 4.3: a block that is not unpacked ends the connection.
    assert_eq!(attacker.sent_away().await, Some(COMPRESSION_ERROR));
    scene.expect_ended("HeaderBomb").await;
}

#[tokio::test]
async fn fields_that_are_said_again_within_the_limit_are_a_request() {
    let mut block = remembering();
    block.extend([AGAIN; 10]);
    let request = frame(HEADERS, END_HEADERS | END_STREAM, 1, &block);
    Scene::new().await.bears(&[], &request).await;
}

#[tokio::test]
async fn settings_over_and_over_are_a_flood_and_some_changes_are_none() {
    let setting = frame(SETTINGS, 0, 0, &[0, 4, 0, 1, 0, 0]);
    Scene::new().await.bears(&[], &setting.repeat(60)).await;
    let scene = Scene::new().await;
    scene
        .sends_away("Settings", &[], &setting.repeat(2_000))
        .await;
}

#[tokio::test]
async fn pings_without_end_are_a_flood_and_hundreds_are_none() {
    let ping = frame(PING, 0, 0, &[7; 8]);
    Scene::new().await.bears(&[], &ping.repeat(300)).await;
    let scene = Scene::new().await;
    scene.sends_away("Ping", &[], &ping.repeat(20_000)).await;
}

#[tokio::test]
async fn a_flood_within_tls_is_seen_and_answered_too() {
    let certificates = Certificates::new();
    let elbow = Elbow::start(&format!(
        "[[load_balancer]]\n\
         name = \"lb\"\n\
         nodes = [{{ address = \"127.0.0.1\" }}]\n\
         [[load_balancer.listener]]\n\
         port = 0\n\
         protocol = \"HTTPS\"\n\
         certificates = [{}]\n\
         default = {{ fixed_response = {{ status = 200 }} }}\n",
        certificates.make("site", &["site.test"])
    ))
    .await;
    let visitor = certificates.visitor().offering(&["h2"]);
    let attacker = visitor.visit(elbow.address(), "site.test").await;
    let mut attacker = Frames::over(attacker.wire.stream, &[]).await;
    attacker
        .send(&frame(PING, 0, 0, &[7; 8]).repeat(20_000))
        .await;
    assert_eq!(attacker.sent_away().await, Some(ENHANCE_YOUR_CALM));
    drop(attacker);
    expect_ended(&elbow, "Ping").await;
}

#[tokio::test]
async fn priorities_without_end_are_a_flood_and_hundreds_are_none() {
    let priority = frame(PRIORITY, 0, 3, &[0, 0, 0, 1, 9]);
    Scene::new().await.bears(&[], &priority.repeat(300)).await;
    let scene = Scene::new().await;
    scene
        .sends_away("Priority", &[], &priority.repeat(20_000))
        .await;
}

#[tokio::test]
async fn frames_of_no_known_kind_are_ignored_until_they_are_a_flood() {
    let unknown = frame(0xfa, 0, 0, b"grease");
    Scene::new().await.bears(&[], &unknown.repeat(60)).await;
    let scene = Scene::new().await;
    scene
        .sends_away("Unknown", &[], &unknown.repeat(20_000))
        .await;
}

#[tokio::test]
async fn data_with_nothing_in_it_is_a_flood_and_a_little_of_it_is_none() {
    let post = frame(HEADERS, END_HEADERS, 1, &fields("POST", "/"));
    let nothing = frame(DATA, 0, 1, &[]);
    let mut some = [post.clone(), nothing.repeat(50)].concat();
    some.extend(frame(DATA, END_STREAM, 1, b"x"));
    Scene::new().await.bears(&[], &some).await;
    let flood = [post, nothing.repeat(5_000)].concat();
    Scene::new()
        .await
        .sends_away("SmallData", &[], &flood)
        .await;
}

#[tokio::test]
async fn frames_that_make_streams_be_reset_are_a_flood() {
    // A window that grows by nothing is an error of its stream (RFC 9113 section 6.9).
    let flood: Vec<u8> = streams(3_000)
        .flat_map(|stream| {
            let useless = frame(WINDOW_UPDATE, 0, stream, &[0; 4]);
            [get(stream, "/held"), useless].concat()
        })
        .collect();
    let scene = Scene::new().await;
    let mut attacker = Frames::connect(scene.elbow.address(), &[]).await;
    attacker.send(&flood).await;
    assert!(attacker.sent_away().await.is_some());
    scene
        .elbow
        .expect_metric("elbow_active_connections", 1.0)
        .await;
}

#[tokio::test]
async fn a_window_that_grows_byte_by_byte_is_a_flood() {
    let mut request = get(1, "/");
    request.extend(frame(WINDOW_UPDATE, 0, 1, &1_u32.to_be_bytes()).repeat(20_000));
    let scene = Scene::new().await;
    scene.sends_away("WindowUpdate", NO_WINDOW, &request).await;
}

#[tokio::test]
async fn two_updates_for_each_piece_of_data_are_none() {
    let target = Target::saying(&"x".repeat(400_000)).await;
    let elbow = Elbow::before(&[&target], "", "").await;
    let mut client = Frames::connect(elbow.address(), &[]).await;
    for stream in streams(20) {
        client.send(&get(stream, "/")).await;
        loop {
            let data = client.until(DATA).await.expect("the connection goes on");
            let count = u32::try_from(data.payload.len()).unwrap().to_be_bytes();
            if data.payload.is_empty() {
                break;
            }
            client.send(&frame(WINDOW_UPDATE, 0, 0, &count)).await;
            if data.flags & END_STREAM != 0 {
                break;
            }
            client.send(&frame(WINDOW_UPDATE, 0, stream, &count)).await;
        }
    }
    assert_eq!(elbow.metric("elbow_http2_floods_total"), 0.0);
}

/// A load balancer with this idle timeout before a site whose responses have 10000 bytes.
async fn impatient(idle_timeout: &str) -> (Elbow, Target) {
    let target = Target::saying(&"x".repeat(10_000)).await;
    let attributes = format!("idle_timeout = \"{idle_timeout}\"");
    (Elbow::before(&[&target], &attributes, "").await, target)
}

#[tokio::test]
async fn a_response_that_the_client_does_not_take_is_given_up_after_the_idle_timeout() {
    let (elbow, _target) = impatient("1s").await;
    let mut client = Frames::connect(elbow.address(), NO_WINDOW).await;
    let began = Instant::now();
    client.send(&get(1, "/")).await;
    let given_up = client.until(RST_STREAM).await;
    let took = began.elapsed();
    let late = Duration::from_secs(5);
    assert!(took > Duration::from_millis(900) && took < late, "{took:?}");
    assert_eq!(given_up.expect("the stream alone is ended").stream, 1);
    let counter = "elbow_errors_total{reason=\"ClientTimeout\"}";
    elbow.expect_metric(counter, 1.0).await;
    client.send(&get(3, "/")).await;
    let head = client.until(HEADERS).await;
    assert!(head.is_some(), "the connection goes on");
    assert_eq!(elbow.metric("elbow_http2_floods_total"), 0.0);
}

#[tokio::test]
async fn a_block_of_fields_that_never_ends_keeps_no_connection_open() {
    let (elbow, _target) = impatient("1s").await;
    let mut client = Frames::connect(elbow.address(), &[]).await;
    client
        .send(&frame(HEADERS, END_STREAM, 1, &fields("GET", "/")))
        .await;
    let began = Instant::now();
    // The idle timeout, then what a client has to go.
    assert_eq!(client.sent_away().await, Some(NO_ERROR));
    assert!(began.elapsed() > Duration::from_millis(900));
    elbow.expect_metric("elbow_active_connections", 0.0).await;
}

#[tokio::test]
async fn a_body_that_does_not_come_is_given_up_after_the_idle_timeout() {
    let (elbow, _target) = impatient("1s").await;
    let mut client = Frames::connect(elbow.address(), &[]).await;
    let began = Instant::now();
    let post = frame(HEADERS, END_HEADERS, 1, &fields("POST", "/"));
    client.send(&post).await;
    let answered = client.until(HEADERS).await;
    let took = began.elapsed();
    let late = Duration::from_secs(5);
    assert!(took > Duration::from_millis(900) && took < late, "{took:?}");
    assert_eq!(answered.expect("an answer").stream, 1);
    let line = elbow.log_line().await;
    assert_eq!(line.number("elb_status_code"), Some(408.0));
    client.send(&get(3, "/")).await;
    let head = client.until(HEADERS).await;
    assert!(head.is_some(), "the connection goes on");
}

#[tokio::test]
async fn many_responses_that_the_client_does_not_take_end_its_connection() {
    let (elbow, _target) = impatient("1s").await;
    let mut attacker = Frames::connect(elbow.address(), NO_WINDOW).await;
    let requests: Vec<u8> = streams(100).flat_map(|stream| get(stream, "/")).collect();
    attacker.send(&requests).await;
    let mut other = Http2Client::connect(elbow.address()).await;
    let (code, ()) = tokio::join!(attacker.sent_away(), async {
        for _ in 0..20 {
            assert_eq!(other.get("/").await.status(), 200);
            sleep(Duration::from_millis(100)).await;
        }
    });
    assert_eq!(code, Some(ENHANCE_YOUR_CALM));
    drop(other);
    expect_ended(&elbow, "WindowStall").await;
}

#[tokio::test]
async fn a_window_of_a_byte_now_and_then_does_not_keep_a_response_alive() {
    let (elbow, _target) = impatient("2s").await;
    let mut client = Frames::connect(elbow.address(), NO_WINDOW).await;
    client.send(&get(1, "/")).await;
    let began = Instant::now();
    let ended = loop {
        assert!(began.elapsed() < SOON, "the dribble keeps it alive");
        let update = frame(WINDOW_UPDATE, 0, 1, &1_u32.to_be_bytes());
        client.send(&update).await;
        let quiet = tokio::time::timeout(Duration::from_millis(300), client.until(RST_STREAM));
        if let Ok(reset) = quiet.await {
            break reset;
        }
    };
    assert_eq!(ended.expect("the stream alone is ended").stream, 1);
    let counter = "elbow_errors_total{reason=\"ClientTimeout\"}";
    elbow.expect_metric(counter, 1.0).await;
}

#[tokio::test]
async fn a_client_that_reads_nothing_at_all_is_cut_off() {
    let target = Target::saying(&"x".repeat(8_000_000)).await;
    let elbow = Elbow::before(&[&target], "idle_timeout = \"1s\"", "").await;
    let mut attacker = Frames::connect(elbow.address(), &[(4, i32::MAX as u32)]).await;
    let window = (i32::MAX as u32 - 65_535).to_be_bytes();
    attacker.send(&frame(WINDOW_UPDATE, 0, 0, &window)).await;
    let requests: Vec<u8> = streams(8).flat_map(|stream| get(stream, "/")).collect();
    attacker.send(&requests).await;
    elbow
        .expect_metric("elbow_http2_floods_total{kind=\"WindowStall\"}", 1.0)
        .await;
    elbow.expect_metric("elbow_active_connections", 0.0).await;
    drop(soon(async { attacker }).await);
}
