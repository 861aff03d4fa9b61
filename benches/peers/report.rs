//! Medians in a table, then Elbow's ratios against what it must reach.

use crate::contender::{Contender, Running};

/// One measure: for each contender its value in every round.
pub(crate) struct Series {
    label: String,
    unit: &'static str,
    who: Vec<Contender>,
    values: Vec<Vec<f64>>,
}

impl Series {
    pub(crate) fn new(
        label: impl Into<String>,
        unit: &'static str,
        contenders: &[Running],
    ) -> Self {
        let who: Vec<_> = contenders.iter().map(|contender| contender.who).collect();
        let values = vec![Vec::new(); who.len()];
        Self {
            label: label.into(),
            unit,
            who,
            values,
        }
    }

    pub(crate) fn add(&mut self, contender: usize, value: f64) {
        self.values[contender].push(value);
    }

    /// The median of one contender, if it took part.
    pub(crate) fn median(&self, who: Contender) -> Option<f64> {
        median(self.of(who)?.to_vec())
    }

    /// The peer with the lower median.
    pub(crate) fn better_peer(&self) -> Option<Contender> {
        let peers = self.who.iter().copied().filter(|who| who.is_peer());
        peers.min_by(|a, b| {
            f64::total_cmp(
                &self.median(*a).unwrap_or(f64::MAX),
                &self.median(*b).unwrap_or(f64::MAX),
            )
        })
    }

    /// First quartile, median and third quartile of `a / b`, round by round: what disturbs a whole
    /// round disturbs both and falls out.
    pub(crate) fn ratio(&self, a: Contender, b: Contender) -> Option<[f64; 3]> {
        let mut ratios: Vec<_> = self
            .of(a)?
            .iter()
            .zip(self.of(b)?)
            .map(|(a, b)| a / b)
            .collect();
        ratios.sort_unstable_by(f64::total_cmp);
        let last = ratios.len().checked_sub(1)?;
        let quantile = |q: f64| ratios[(last as f64 * q).round() as usize];
        Some([quantile(0.25), median(ratios.clone())?, quantile(0.75)])
    }

    fn of(&self, who: Contender) -> Option<&[f64]> {
        let index = self.who.iter().position(|&one| one == who)?;
        Some(&self.values[index])
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        n if n % 2 == 1 => Some(values[middle]),
        _ => Some((values[middle - 1] + values[middle]) / 2.0),
    }
}

/// Something that Elbow must reach.
pub(crate) struct Goal<'a> {
    pub(crate) series: &'a Series,
    pub(crate) against: Against,
    pub(crate) at_most: f64,
}

/// What a goal compares Elbow's value with.
#[derive(Clone, Copy)]
pub(crate) enum Against {
    /// The better of nginx and HAProxy.
    BetterPeer,
    /// The forwarder of bytes.
    Floor,
    /// Nothing: the value itself counts, in the unit of its series.
    Itself,
}

/// Prints all medians.
pub(crate) fn table(measures: &[Series]) {
    let Some(first) = measures.first() else {
        return;
    };
    println!();
    print!("{:32}", "");
    first.who.iter().for_each(|who| print!("{who:>12}"));
    println!();
    for series in measures {
        print!("{:32}", format!("{} ({})", series.label, series.unit));
        for &who in &series.who {
            match series.median(who) {
                Some(value) => print!("{value:>12.2}"),
                None => print!("{:>12}", "-"),
            }
        }
        println!();
    }
}

/// Prints every single value: a contender a line, its rounds in order.
pub(crate) fn samples(measures: &[Series]) {
    println!();
    for series in measures {
        for (who, values) in series.who.iter().zip(&series.values) {
            print!("{}; {who}", series.label.trim());
            values.iter().for_each(|value| print!("; {value:.3}"));
            println!();
        }
    }
}

/// Prints how the contenders stand to each other and to the goals. `false` when one is missed.
pub(crate) fn goals(goals: &[Goal<'_>]) -> bool {
    println!();
    let mut reached = true;
    for goal in goals {
        let series = goal.series;
        let Some((name, low, value, high)) = standing(goal) else {
            if matches!(goal.against, Against::BetterPeer) {
                between_peers(series);
            }
            continue;
        };
        let verdict = if value <= goal.at_most {
            "reached"
        } else {
            "MISSED"
        };
        reached &= value <= goal.at_most;
        println!(
            "{:32} {name:20} {value:7.3}  [{low:.3} .. {high:.3}]  at most {:.2}: {verdict}",
            series.label, goal.at_most
        );
    }
    reached
}

fn standing(goal: &Goal<'_>) -> Option<(String, f64, f64, f64)> {
    let elbow = Contender::Elbow;
    let other = match goal.against {
        Against::BetterPeer => goal.series.better_peer()?,
        Against::Floor => Contender::Forwarder,
        Against::Itself => {
            let value = goal.series.median(elbow)?;
            return Some((format!("elbow, {}", goal.series.unit), value, value, value));
        }
    };
    let [low, value, high] = goal.series.ratio(elbow, other)?;
    Some((format!("{elbow} / {other}"), low, value, high))
}

/// Without Elbow, how the others stand to each other.
fn between_peers(series: &Series) {
    use Contender::{Forwarder, Haproxy, Nginx};
    for (a, b) in [(Haproxy, Nginx), (Nginx, Forwarder), (Haproxy, Forwarder)] {
        if let Some([low, value, high]) = series.ratio(a, b) {
            let name = format!("{a} / {b}");
            println!(
                "{:32} {name:20} {value:7.3}  [{low:.3} .. {high:.3}]",
                series.label
            );
        }
    }
}
