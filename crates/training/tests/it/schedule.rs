//! The learning rate over a run, against figures reckoned by hand.

use training::Schedule;

const RUN: Schedule = Schedule { peak: 1e-3, floor: 1e-5, warmup: 10, steps: 110 };

#[test]
fn it_warms_up_to_the_peak_and_ends_at_the_floor() {
    assert!((RUN.rate(0) - 1e-4).abs() < 1e-12);
    assert!((RUN.rate(9) - 1e-3).abs() < 1e-12);
    assert!((RUN.rate(60) - (1e-5 + 0.5 * (1e-3 - 1e-5))).abs() < 1e-12, "half-way down the cosine");
    assert!((RUN.rate(110) - 1e-5).abs() < 1e-12);
    assert!((RUN.rate(1000) - 1e-5).abs() < 1e-12, "past the end it stays");
}

#[test]
fn a_run_without_warm_up_begins_at_the_peak() {
    assert!((Schedule { warmup: 0, ..RUN }.rate(0) - 1e-3).abs() < 1e-12);
}
