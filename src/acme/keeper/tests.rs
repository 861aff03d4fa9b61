//! The order of things, with an authority that does what it is told and months that pass at once.

use std::collections::VecDeque;
use std::fs;

use parking_lot::Mutex;
use prometheus::Registry;
use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::super::placeholder::placeholder;
use super::super::settings::tests::wanted;
use super::super::status::Status;
use super::super::storage::StorageError;
use super::*;
use crate::metrics::Metrics;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const LIFE: Duration = Duration::from_secs(6 * 24 * 60 * 60);

/// What the authority does with an order; nothing more of it issues.
enum Answer {
    Issue,
    Refuse,
    /// Something happens in the meantime.
    Meanwhile(Box<dyn FnOnce() + Send>),
}

/// An authority, with what it was asked.
struct Ca {
    clock: Clock,
    answers: Mutex<VecDeque<Answer>>,
    asked: Mutex<Vec<ChallengeKind>>,
    window: Mutex<Option<Window>>,
}

impl Ca {
    fn new(answers: impl IntoIterator<Item = Answer>) -> Arc<Self> {
        let (start, begun) = (SystemTime::now(), Instant::now());
        Arc::new(Self {
            clock: Clock::new(move || start + begun.elapsed()),
            answers: Mutex::new(answers.into_iter().collect()),
            asked: Mutex::default(),
            window: Mutex::default(),
        })
    }

    fn orders(&self) -> usize {
        self.asked.lock().len()
    }
}

impl Issuer for Ca {
    async fn order(
        &self,
        wanted: &Wanted,
        kind: ChallengeKind,
        _: Option<&CertificateDer<'_>>,
    ) -> Result<Issued, AcmeError> {
        self.asked.lock().push(kind);
        sleep(Duration::from_secs(3)).await;
        match self.answers.lock().pop_front() {
            Some(Answer::Refuse) => {
                return Err(AcmeError::Challenge {
                    kind,
                    failures: vec!["shop.test: no such host".to_owned()],
                });
            }
            Some(Answer::Meanwhile(happens)) => happens(),
            Some(Answer::Issue) | None => {}
        }
        let key = KeyPair::generate()?;
        let names: Vec<String> = wanted.names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names)?;
        params.not_before = self.clock.now().into();
        params.not_after = (self.clock.now() + LIFE).into();
        let pem = format!("{}{}", key.serialize_pem(), params.self_signed(&key)?.pem());
        let certificate = Certificate::from_pem(pem.as_bytes(), pem.as_bytes(), None)?;
        Ok(Issued { pem, certificate })
    }

    async fn renewal(
        &self,
        _: &CertificateDer<'_>,
    ) -> Result<Option<(Window, Duration)>, AcmeError> {
        Ok(self.window.lock().map(|window| (window, DAY)))
    }

    fn take_retry_after(&self) -> Option<SystemTime> {
        None
    }
}

/// A process that keeps one certificate. Dropping it ends it.
struct Process {
    slot: Arc<Slot>,
    status: SharedStatus,
    wake: Arc<Notify>,
    metrics: Metrics,
    task: JoinHandle<()>,
}

impl Process {
    fn start(state: &TempDir, ca: &Arc<Ca>) -> Self {
        let wanted = Wanted {
            challenges: vec![ChallengeKind::TlsAlpn01, ChallengeKind::Http01],
            ..wanted(&["shop.test", "www.shop.test"])
        };
        let metrics = Metrics::new(&Registry::new()).unwrap();
        let shown = placeholder(&wanted, ca.clock.now()).unwrap();
        let keeper = Keeper {
            identity: wanted.identity(),
            folder: folder(state),
            issuer: Arc::clone(ca),
            slot: Arc::new(Slot::with(Arc::clone(&wanted.name), None, shown)),
            stand_in: None,
            status: Arc::new(Mutex::new(Status::new(&wanted))),
            metrics: metrics.acme(&wanted.name),
            clock: ca.clock.clone(),
            turns: Arc::new(Semaphore::new(1)),
            wake: Arc::default(),
            unsaved: Unsaved::default(),
            wanted,
        };
        Self {
            slot: Arc::clone(&keeper.slot),
            status: Arc::clone(&keeper.status),
            wake: Arc::clone(&keeper.wake),
            metrics,
            task: tokio::spawn(keeper.run()),
        }
    }

    fn status(&self) -> Status {
        self.status.lock().clone()
    }

    fn serial(&self) -> String {
        self.slot.certificate().unwrap().serial().to_owned()
    }

    /// Waits until its status is so.
    async fn until(&self, what: &str, is_so: impl Fn(&Status) -> bool) -> Status {
        for _ in 0..100_000 {
            let status = self.status();
            if is_so(&status) {
                return status;
            }
            sleep(Duration::from_secs(20)).await;
        }
        panic!("never {what}: {:?}", self.status());
    }

    async fn shows_one(&self) -> Status {
        self.until("shown", |status| status.shown.is_some() && !status.ordering)
            .await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn folder(state: &TempDir) -> Folder {
    let plain = wanted(&["shop.test", "www.shop.test"]);
    Folder::open(state.path(), &plain.identity().folder).unwrap()
}

fn state() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn counted(process: &Process, result: &str) -> bool {
    let state = crate::metrics::StateMetrics::new().unwrap();
    let text = process.metrics.encode(&state).unwrap();
    let row = format!(r#"elbow_acme_orders_total{{certificate="shop.test",result="{result}"}}"#);
    text.contains(&row)
}

#[tokio::test(start_paused = true)]
async fn the_first_certificate_takes_the_place_of_the_placeholder_and_is_kept() {
    let (state, ca) = (state(), Ca::new([]));
    let process = Process::start(&state, &ca);
    let before = process.serial();
    let status = process.shows_one().await;
    assert_ne!(process.serial(), before);
    assert_eq!(status.shown.unwrap().serial, process.serial());
    assert_eq!(status.last.unwrap().failure, None);
    let kept = folder(&state).certificate(&wanted(&["shop.test", "www.shop.test"]).identity().stem);
    assert!(kept.unwrap().unwrap().contains("PRIVATE KEY"));
    assert!(counted(&process, "success"));
}

#[tokio::test(start_paused = true)]
async fn a_restart_orders_nothing() {
    let (state, ca) = (state(), Ca::new([]));
    let first = Process::start(&state, &ca);
    first.shows_one().await;
    let serial = first.serial();
    drop(first);
    let second = Process::start(&state, &ca);
    second.shows_one().await;
    sleep(3 * DAY).await;
    assert_eq!(second.serial(), serial);
    assert_eq!(ca.orders(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_certificate_is_renewed_after_two_thirds_of_its_life() {
    let (state, ca) = (state(), Ca::new([]));
    let process = Process::start(&state, &ca);
    let status = process.shows_one().await;
    let (serial, begun) = (process.serial(), ca.clock.now());
    assert!(status.next_order.unwrap() > begun + 3 * DAY);
    process
        .until("renewed", |_| process.serial() != serial)
        .await;
    let took = ca.clock.now().duration_since(begun).unwrap();
    assert!(took > 4 * DAY - DAY / 24 && took < 5 * DAY, "{took:?}");
    assert_eq!(ca.orders(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_authoritys_word_of_when_to_renew_is_followed() {
    let (state, ca) = (state(), Ca::new([]));
    let begun = ca.clock.now();
    *ca.window.lock() = Some(Window {
        start: begun + 2 * DAY,
        end: begun + 3 * DAY,
    });
    let process = Process::start(&state, &ca);
    process.shows_one().await;
    let serial = process.serial();
    process
        .until("renewed", |_| process.serial() != serial)
        .await;
    let took = ca.clock.now().duration_since(begun).unwrap();
    assert!(took >= 2 * DAY && took < 3 * DAY + DAY / 24, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_failed_renewal_keeps_the_certificate_and_is_tried_in_the_next_way() {
    let answers = [Answer::Issue, Answer::Refuse, Answer::Refuse, Answer::Issue];
    let (state, ca) = (state(), Ca::new(answers));
    let process = Process::start(&state, &ca);
    process.shows_one().await;
    let serial = process.serial();
    let status = process.until("failed", |status| status.failures > 0).await;
    assert_eq!(process.serial(), serial);
    let failure = status.last.unwrap().failure.unwrap();
    assert_eq!(failure.reason, Reason::Challenge);
    assert!(
        failure.detail.contains("no such host"),
        "{}",
        failure.detail
    );
    assert!(status.next_order.unwrap() > ca.clock.now());
    assert!(
        process
            .slot
            .failure()
            .unwrap()
            .reason
            .contains("no such host")
    );
    let status = process
        .until("renewed", |_| process.serial() != serial)
        .await;
    assert_eq!(status.failures, 0);
    assert!(process.slot.failure().is_none());
    let (tls, http) = (ChallengeKind::TlsAlpn01, ChallengeKind::Http01);
    assert_eq!(*ca.asked.lock(), [tls, tls, http, tls]);
    assert!(counted(&process, "challenge"));
}

#[tokio::test(start_paused = true)]
async fn a_restart_does_not_forget_to_wait_after_failures() {
    let answers = (0..4).map(|_| Answer::Refuse);
    let (state, ca) = (state(), Ca::new(answers));
    let process = Process::start(&state, &ca);
    process.until("failed", |status| status.failures == 4).await;
    let again = process.status().next_order.unwrap();
    drop(process);
    let process = Process::start(&state, &ca);
    sleep(Duration::from_secs(60)).await;
    let status = process.status();
    assert_eq!(ca.orders(), 4);
    assert_eq!((status.failures, status.next_order), (4, Some(again)));
    assert!(status.shown.is_none(), "a placeholder is no certificate");
}

#[tokio::test(start_paused = true)]
async fn of_processes_that_share_the_folder_one_orders_and_all_show() {
    let (state, ca) = (state(), Ca::new([]));
    let processes: Vec<Process> = (0..3).map(|_| Process::start(&state, &ca)).collect();
    for process in &processes {
        process.shows_one().await;
        assert_eq!(process.serial(), processes[0].serial());
    }
    assert_eq!(ca.orders(), 1);
    let serial = processes[0].serial();
    for process in &processes {
        process
            .until("renewed", |_| process.serial() != serial)
            .await;
    }
    assert_eq!(ca.orders(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_operator_can_have_it_ordered_before_it_is_due() {
    let (state, ca) = (state(), Ca::new([]));
    let process = Process::start(&state, &ca);
    process.shows_one().await;
    let (serial, begun) = (process.serial(), ca.clock.now());
    process.wake.notify_one();
    process
        .until("renewed", |_| process.serial() != serial)
        .await;
    assert!(ca.clock.now() < begun + DAY);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_written_is_shown_all_the_same_and_written_later() {
    let state = state();
    let stem = wanted(&["shop.test", "www.shop.test"]).identity().stem;
    let file = folder(&state).file(&stem, "pem");
    let taken = file.clone();
    let take = Answer::Meanwhile(Box::new(move || fs::create_dir(taken).unwrap()));
    let ca = Ca::new([take]);
    let process = Process::start(&state, &ca);
    let before = process.serial();
    process.until("shown", |_| process.serial() != before).await;
    sleep(DAY).await;
    assert!(file.is_dir());
    assert!(counted(&process, "storage"));
    fs::remove_dir(&file).unwrap();
    process.shows_one().await;
    assert!(file.is_file());
    assert_eq!(ca.orders(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_file_that_was_damaged_is_ordered_anew() {
    let (state, ca) = (state(), Ca::new([]));
    let stem = wanted(&["shop.test", "www.shop.test"]).identity().stem;
    let keep =
        || -> Result<(), StorageError> { folder(&state).keep_certificate(&stem, "half a fi") };
    keep().unwrap();
    let process = Process::start(&state, &ca);
    process.shows_one().await;
    assert_eq!(ca.orders(), 1);
}
