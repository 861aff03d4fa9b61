//! Slow start: who enters, how the share rises, and what ends it.

use super::*;

const DURATION: Duration = Duration::from_secs(100);
const SECOND: Duration = Duration::from_secs(1);

fn slowly(zones: ZonePolicy) -> Settings {
    Settings {
        slow_start: Some(DURATION),
        ..settings(zones)
    }
}

/// One group over time. Nothing here waits: the time is a number.
struct Life {
    group: TargetGroup,
    now: Instant,
}

impl Life {
    /// A group whose targets have turned healthy, at start-up.
    fn of(policy: ZonePolicy, ids: &[&str]) -> Self {
        let mut life = Self::new(slowly(policy), targets(ids));
        ids.iter().for_each(|id| life.pass(id));
        life
    }

    fn new(settings: Settings, targets: Vec<Registration>) -> Self {
        let now = Instant::now();
        let group = TargetGroup::new(settings, targets, Scope::All, None, now);
        group.take_over(now);
        Self { group, now }
    }

    fn probe(&mut self, id: &str, outcome: Outcome) {
        let target = self.group.target(&key(id)).unwrap();
        let thresholds = Thresholds {
            healthy: 1,
            unhealthy: 1,
        };
        self.group
            .observe(target, record(outcome), &thresholds, self.now);
    }

    fn pass(&mut self, id: &str) {
        self.probe(id, Outcome::Pass);
    }

    fn fail(&mut self, id: &str) {
        self.probe(id, Outcome::Fail(HealthReason::Timeout));
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
    }

    fn reload(&mut self, settings: Settings, targets: Vec<Registration>) {
        self.group = reload(&self.group, settings, targets, self.now);
    }

    fn percent(&self, id: &str) -> Option<u32> {
        let target = self.group.target(&key(id)).unwrap();
        let slow_start = self.group.slow_start(target, self.now);
        slow_start.map(|slow_start| slow_start.percent)
    }

    /// How many of so many requests from this zone each target takes at this moment.
    fn shares(&self, entry: &str, requests: usize) -> BTreeMap<String, usize> {
        let mut shares = BTreeMap::new();
        for _ in 0..requests {
            let moment = Moment {
                now: self.now,
                chance: 0,
            };
            let lease = self.group.pick(Some(&zone(entry)), &[], moment).unwrap();
            *shares.entry(lease.key.id.to_string()).or_default() += 1;
        }
        shares
    }
}

#[test]
fn the_share_rises_linearly_from_when_the_target_is_healthy() {
    let mut life = Life::of(ZonePolicy::CrossZone, &["a1", "a2"]);
    life.fail("a2");
    life.wait(SECOND * 7);
    life.pass("a2");
    for percent in [1, 25, 50, 75, 99] {
        life.now = life
            .group
            .slow_start(life.group.target(&key("a2")).unwrap(), life.now)
            .unwrap()
            .ends
            - DURATION
            + SECOND * percent;
        assert_eq!(life.percent("a2"), Some(percent));
        // One of them has 100 parts, the other so many.
        let round = 100 + percent as usize;
        let expected = [("a1", 100), ("a2", percent as usize)];
        assert_shares(&life.shares("a", round), &expected);
    }
    life.wait(SECOND);
    assert_eq!(life.percent("a2"), None);
    assert_shares(&life.shares("a", 200), &[("a1", 100), ("a2", 100)]);
}

#[test]
fn targets_of_an_empty_group_that_are_registered_together_do_not_enter() {
    let mut life = Life::new(slowly(ZonePolicy::CrossZone), targets(&["a1", "a2", "a3"]));
    life.pass("a1");
    life.wait(SECOND * 5);
    life.pass("a2");
    life.pass("a3");
    assert_shares(&life.shares("a", 30), &[("a1", 10), ("a2", 10), ("a3", 10)]);
}

#[test]
fn a_newly_registered_target_enters_while_another_is_healthy() {
    let mut life = Life::of(ZonePolicy::CrossZone, &["a1"]);
    life.reload(slowly(ZonePolicy::CrossZone), targets(&["a1", "a2"]));
    life.wait(SECOND * 9);
    life.pass("a2");
    assert_eq!(life.percent("a2"), Some(1));
    life.wait(SECOND * 10);
    assert_eq!(life.percent("a2"), Some(10));
}

#[test]
fn a_target_does_not_enter_while_all_other_healthy_ones_are_in_slow_start() {
    let mut life = Life::of(ZonePolicy::CrossZone, &["a1", "a2"]);
    life.reload(slowly(ZonePolicy::CrossZone), targets(&["a1", "a2", "a3"]));
    life.fail("a2");
    life.pass("a2");
    life.fail("a1");
    assert_eq!(life.percent("a2"), Some(1));
    life.pass("a3");
    assert_eq!(
        life.percent("a3"),
        None,
        "a2 alone is healthy, and in slow start"
    );
    // Now a3 is healthy and not in slow start.
    life.pass("a1");
    assert_eq!(life.percent("a1"), Some(1));
}

#[test]
fn nobody_enters_where_no_other_target_is_healthy() {
    let mut life = Life::of(ZonePolicy::CrossZone, &["a1", "a2"]);
    life.fail("a1");
    life.fail("a2");
    life.pass("a2");
    assert_eq!(life.percent("a2"), None);
}

#[test]
fn recovery_and_registration_enter_again_and_turning_unhealthy_or_leaving_ends_it() {
    let mut life = Life::of(ZonePolicy::CrossZone, &["a1", "a2"]);
    life.fail("a2");
    life.pass("a2");
    life.wait(SECOND * 40);
    assert_eq!(life.percent("a2"), Some(40));
    life.fail("a2");
    assert_eq!(life.percent("a2"), None);
    life.pass("a2");
    assert_eq!(life.percent("a2"), Some(1), "from the beginning");
    life.wait(SECOND * 40);
    let drained = life.group.target(&key("a2")).unwrap();
    drained.state.drain(life.now, DELAY);
    assert_eq!(life.percent("a2"), None);
    life.group.target(&key("a2")).unwrap().state.register();
    life.pass("a2");
    assert_eq!(life.percent("a2"), Some(1));
}

#[test]
fn switching_it_on_does_not_put_healthy_targets_in() {
    let mut life = Life::new(settings(ZonePolicy::CrossZone), targets(&["a1", "a2"]));
    life.pass("a1");
    life.pass("a2");
    life.reload(slowly(ZonePolicy::CrossZone), targets(&["a1", "a2"]));
    assert_shares(&life.shares("a", 10), &[("a1", 5), ("a2", 5)]);
}

#[test]
fn switching_it_off_ends_it_for_good() {
    let mut life = Life::of(ZonePolicy::CrossZone, &["a1", "a2"]);
    life.fail("a2");
    life.pass("a2");
    let two = || targets(&["a1", "a2"]);
    life.reload(settings(ZonePolicy::CrossZone), two());
    assert_shares(&life.shares("a", 10), &[("a1", 5), ("a2", 5)]);
    life.reload(slowly(ZonePolicy::CrossZone), two());
    assert_eq!(life.percent("a2"), None);
}

#[test]
fn a_reload_does_not_interrupt_it() {
    let mut life = Life::of(ZonePolicy::CrossZone, &["a1", "a2"]);
    life.fail("a2");
    life.pass("a2");
    life.wait(SECOND * 30);
    life.reload(
        slowly(ZonePolicy::CrossZone),
        vec![target("a1", 1), target("a2", 7)],
    );
    assert_eq!(life.percent("a2"), Some(30));
    // 100 parts against 7 * 30.
    assert_shares(&life.shares("a", 310), &[("a1", 100), ("a2", 210)]);
}

#[test]
fn a_zone_that_comes_back_takes_its_traffic_back_as_its_targets_start() {
    let mut life = Life::of(ZonePolicy::PreferLocal, &["a1", "b1", "b2"]);
    life.fail("a1");
    assert_shares(&life.shares("a", 100), &[("b1", 50), ("b2", 50)]);
    life.pass("a1");
    life.wait(SECOND * 20);
    let shares = life.shares("a", 1000);
    assert_eq!(shares["a1"], 200, "a fifth of what enters there");
    life.wait(DURATION);
    assert_shares(&life.shares("a", 100), &[("a1", 100)]);
}

#[test]
fn a_weighted_zone_gets_its_share_back_as_its_targets_start() {
    let table = BTreeMap::from([(zone("a"), 1), (zone("b"), 1)]);
    let policy = ZonePolicy::Weighted(ZoneWeights::alike(table).unwrap());
    let mut life = Life::of(policy, &["a1", "b1"]);
    life.fail("a1");
    life.pass("a1");
    life.wait(SECOND * 25);
    // 25 parts against 100.
    assert_shares(&life.shares("a", 125), &[("a1", 25), ("b1", 100)]);
}

#[test]
fn within_its_own_zone_the_share_rises_as_well() {
    let mut life = Life::of(ZonePolicy::OwnZone, &["a1", "a2", "b1"]);
    life.fail("a2");
    life.pass("a2");
    life.wait(SECOND * 50);
    assert_shares(&life.shares("a", 150), &[("a1", 100), ("a2", 50)]);
}

#[test]
fn a_target_of_weight_0_takes_nothing_in_slow_start_either() {
    let mut life = Life::new(
        slowly(ZonePolicy::CrossZone),
        vec![target("a1", 1), target("a2", 0)],
    );
    life.pass("a1");
    life.fail("a2");
    life.pass("a2");
    life.wait(SECOND * 50);
    assert_shares(&life.shares("a", 20), &[("a1", 20)]);
}
