//! What stays, comes and goes with a configuration. The authority is never reached.

use std::time::Duration;

use prometheus::Registry;
use tempfile::TempDir;

use super::super::settings::tests::wanted as plain;
use super::super::{Authority, ChallengeKind};
use super::*;
use crate::local_ca::{self, KeyKind, Order};

/// A state directory, and an authority of one's own.
struct Scene {
    state: TempDir,
    acme: Acme,
    ca: local_ca::Authority,
}

impl Scene {
    fn new() -> Self {
        let state = tempfile::tempdir().unwrap();
        let folder = state.path().join("ca");
        let (ca, _) = local_ca::Authority::open_or_create(&folder, SystemTime::now()).unwrap();
        let metrics = Metrics::new(&Registry::new()).unwrap();
        Self {
            acme: Acme::new(Clock::system(), metrics, Challenges::new(Arc::default())),
            state,
            ca,
        }
    }

    /// From an authority that cannot be reached.
    fn wanted(&self, names: &[&str]) -> Wanted {
        let wanted = plain(names);
        Wanted {
            authority: Arc::new(Authority {
                directory: "https://127.0.0.1:1/dir".into(),
                ca: Some(self.ca.certificate()),
                ..(*wanted.authority).clone()
            }),
            ..wanted
        }
    }

    /// Puts a certificate where an order would have put it.
    fn keep(&self, wanted: &Wanted, days: u64) {
        let order = Order {
            names: wanted.names.clone(),
            life: Duration::from_secs(days * 24 * 60 * 60),
        };
        let now = SystemTime::now();
        let issued = self.ca.issue(&order, KeyKind::EcdsaP256, now).unwrap();
        let identity = wanted.identity();
        let folder = Folder::open(self.state.path(), &identity.folder).unwrap();
        let pem = format!("{}{}", issued.key, issued.certificate);
        folder.keep_certificate(&identity.stem, &pem).unwrap();
    }

    async fn prepare(&self, wanted: &[&Wanted]) -> Prepared {
        let wanted = wanted.iter().map(|wanted| (*wanted).clone()).collect();
        self.acme.prepare(self.state.path(), wanted).await.unwrap()
    }

    /// Takes a configuration over; returns the places.
    async fn apply(&mut self, wanted: &[&Wanted]) -> Vec<Arc<Slot>> {
        let prepared = self.prepare(wanted).await;
        let slots = wanted.iter().map(|wanted| prepared.slot(wanted).unwrap());
        let slots = slots.collect();
        self.acme.commit(prepared);
        slots
    }

    fn kept(&self) -> Vec<String> {
        let statuses = self.acme.statuses().all();
        statuses
            .iter()
            .map(|status| status.name.to_string())
            .collect()
    }
}

fn names(slot: &Slot) -> Vec<String> {
    let certificate = slot.certificate().unwrap();
    certificate.names().map(str::to_owned).collect()
}

#[tokio::test]
async fn a_place_has_the_certificate_from_disk_or_else_a_placeholder_for_the_names() {
    let mut scene = Scene::new();
    let (kept, new) = (scene.wanted(&["shop.test"]), scene.wanted(&["blog.test"]));
    scene.keep(&kept, 90);
    let slots = scene.apply(&[&kept, &new]).await;
    let issuer = |slot: &Slot| slot.certificate().unwrap().issuer().to_owned();
    assert!(issuer(&slots[0]).contains("Elbow local CA"));
    assert!(issuer(&slots[1]).contains("placeholder"));
    assert_eq!(names(&slots[1]), ["blog.test"]);
}

#[tokio::test]
async fn a_certificate_that_stays_keeps_its_place_and_others_come_and_go() {
    let mut scene = Scene::new();
    let [a, b, c] = ["a.test", "b.test", "c.test"].map(|name| scene.wanted(&[name]));
    let before = scene.apply(&[&a, &b]).await;
    let after = scene.apply(&[&b, &c]).await;
    assert!(Arc::ptr_eq(&before[1], &after[0]));
    let mut kept = scene.kept();
    kept.sort();
    assert_eq!(kept, ["b.test", "c.test"]);
    scene.acme.commit(Prepared::default());
    assert!(scene.kept().is_empty());
    assert_eq!(scene.acme.statuses().renew("b.test"), 0);
}

#[tokio::test]
async fn what_is_made_ready_and_thrown_away_changes_nothing() {
    let mut scene = Scene::new();
    let (a, b) = (scene.wanted(&["a.test"]), scene.wanted(&["b.test"]));
    scene.apply(&[&a]).await;
    drop(scene.prepare(&[&b]).await);
    assert_eq!(scene.kept(), ["a.test"]);
}

#[tokio::test]
async fn other_settings_of_the_account_keep_the_place_and_begin_anew() {
    let mut scene = Scene::new();
    let before = scene.wanted(&["a.test"]);
    let after = Wanted {
        challenges: vec![ChallengeKind::TlsAlpn01],
        ..before.clone()
    };
    let (one, two) = (scene.apply(&[&before]).await, scene.apply(&[&after]).await);
    assert!(Arc::ptr_eq(&one[0], &two[0]));
    assert_eq!(scene.acme.kept.values().next().unwrap().wanted, after);
    let renamed = Wanted {
        name: "shop".into(),
        ..after
    };
    let three = scene.apply(&[&renamed]).await;
    assert_eq!(&**three[0].name(), "shop");
}

#[tokio::test]
async fn names_that_are_added_leave_the_others_with_the_certificate_that_they_have() {
    let mut scene = Scene::new();
    let names_before = ["a.test", "b.test"];
    let (two, one) = (scene.wanted(&names_before), scene.wanted(&["a.test"]));
    scene.keep(&two, 10);
    scene.keep(&one, 90);
    let three = scene.wanted(&["a.test", "b.test", "c.test"]);
    let slots = scene.apply(&[&three]).await;
    assert_eq!(names(&slots[0]), names_before);
    let other = scene.wanted(&["d.test"]);
    let slots = scene.apply(&[&other]).await;
    assert_eq!(names(&slots[0]), ["d.test"], "a placeholder");
}

#[tokio::test]
async fn listeners_that_show_the_same_certificate_share_it() {
    let scene = Scene::new();
    let one = scene.wanted(&["a.test"]);
    let both = Wanted {
        challenges: vec![ChallengeKind::TlsAlpn01, ChallengeKind::Http01],
        ..one.clone()
    };
    let prepared = scene.prepare(&[&one, &both]).await;
    let (first, second) = (prepared.slot(&one), prepared.slot(&both));
    assert!(Arc::ptr_eq(&first.unwrap(), &second.unwrap()));
    let ready = prepared.certificates.values().next().unwrap();
    assert_eq!(ready.wanted.challenges.len(), 2);
}

#[tokio::test]
async fn a_state_directory_that_cannot_be_used_is_an_error() {
    let scene = Scene::new();
    let wanted = vec![scene.wanted(&["a.test"])];
    let file = scene.ca.certificate();
    let error = scene.acme.prepare(&file, wanted).await.unwrap_err();
    assert!(error.to_string().contains("ca.pem"), "{error}");
}
