//! A bad day, drawn by lot: each request may go wrong, with odds that are given and a seed that repeats them.

use super::Fault;
use serde::Deserialize;

/// The odds, in requests of a thousand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Chaos {
    /// The same seed misbehaves in the same way, request by request.
    pub seed: u64,
    /// 500 before accepting.
    pub fail: u16,
    /// 500 after accepting.
    pub accept_then_fail: u16,
    /// 429 with `Retry-After: 1`.
    pub throttled: u16,
    /// Never an answer; not accepted.
    pub hang: u16,
    /// Accepted, and never an answer.
    pub accept_then_hang: u16,
    /// Accepted, and the connection closed.
    pub accept_then_drop: u16,
    /// Accepted, and answered with a page that no program reads.
    pub nonsense: u16,
    /// Right, after some of [`Chaos::latency_ms`].
    pub latency: u16,
    /// The longest latency, in milliseconds.
    pub latency_ms: u64,
    /// 500 to a request that looks something up.
    pub read_fail: u16,
    /// A report that gets lost on its way; of a thousand reports.
    pub lost_callback: u16,
}

impl Default for Chaos {
    fn default() -> Self {
        Self {
            seed: 1,
            fail: 30,
            accept_then_fail: 30,
            throttled: 30,
            hang: 5,
            accept_then_hang: 5,
            accept_then_drop: 30,
            nonsense: 10,
            latency: 200,
            latency_ms: 50,
            read_fail: 20,
            lost_callback: 100,
        }
    }
}

/// The lots that are still to be drawn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lots {
    chaos: Chaos,
    state: u64,
}

impl Lots {
    pub fn new(chaos: Chaos) -> Self {
        Self { chaos, state: chaos.seed }
    }

    /// A number by `SplitMix64`: enough for lots, and the same on every machine.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Whether the next report gets lost.
    pub fn loses_callback(&mut self) -> bool {
        self.next() % 1_000 < u64::from(self.chaos.lost_callback)
    }

    /// What goes wrong with the next request, if anything does.
    pub fn draw(&mut self, is_create: bool) -> Option<Fault> {
        let (lot, chance) = (self.next() % 1_000, self.next());
        let chaos = self.chaos;
        let of_creates = [
            (chaos.fail, Fault::Fail),
            (chaos.accept_then_fail, Fault::AcceptThenFail),
            (chaos.throttled, Fault::Throttled { retry_after: Some(1) }),
            (chaos.hang, Fault::Hang),
            (chaos.accept_then_hang, Fault::AcceptThenHang),
            (chaos.accept_then_drop, Fault::AcceptThenDrop),
            (chaos.nonsense, Fault::Nonsense),
            (chaos.latency, Fault::Latency { ms: 1 + chance % chaos.latency_ms.max(1) }),
        ];
        let of_reads = [(chaos.read_fail, Fault::Fail)];
        let mut until = 0;
        let odds = if is_create { &of_creates[..] } else { &of_reads[..] };
        odds.iter().find_map(|(odds, fault)| {
            until += u64::from(*odds);
            (lot < until).then_some(*fault)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::World, *};
    use serde_json::json;

    #[test]
    fn a_seed_repeats_itself_and_the_odds_are_kept() {
        let draw = |seed: u64| {
            let mut lots = Lots::new(Chaos { seed, ..Chaos::default() });
            (0..10_000).map(|_| lots.draw(true)).collect::<Vec<_>>()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        let drawn = draw(7);
        let count = |is_it: fn(&Fault) -> bool| drawn.iter().flatten().filter(|fault| is_it(fault)).count();
        let near = |count: usize, odds: usize| count.abs_diff(odds * 10) < 12 + odds * 3;
        assert!(near(count(|fault| *fault == Fault::Fail), 30));
        assert!(near(count(|fault| *fault == Fault::AcceptThenFail), 30));
        assert!(near(count(|fault| *fault == Fault::AcceptThenDrop), 30));
        assert!(near(count(|fault| *fault == Fault::AcceptThenHang), 5));
        assert!(near(count(|fault| matches!(fault, Fault::Latency { ms: 1..=50 })), 200));
        assert!(near(drawn.iter().filter(|fault| fault.is_none()).count(), 660));
        let mut lots = Lots::new(Chaos::default());
        assert!((0..1_000).filter_map(|_| lots.draw(false)).all(|fault| fault == Fault::Fail));
        assert!(near((0..10_000).filter(|_| lots.loses_callback()).count(), 100));
    }

    #[tokio::test]
    async fn chaos_comes_and_goes_by_command() {
        let world = World::new();
        let form = [("To", "+15558675310"), ("From", "+14155550132"), ("Body", "Hello")];
        assert_eq!(world.control("chaos", &json!({ "seed": 3, "fail": 1_000 })).await.status, 204);
        assert_eq!(world.create(&form).await.refusal(), (500, 20500));
        world.simulator.misbehave(Fault::Unauthorized, 1);
        assert_eq!(world.create(&form).await.refusal(), (401, 20003), "what was ordered comes first");
        assert_eq!(world.control("chaos", &json!({ "sed": 3 })).await.status, 422);
        assert_eq!(world.control("chaos", &json!(null)).await.status, 204);
        assert_eq!(world.create(&form).await.status, 201);
    }
}
