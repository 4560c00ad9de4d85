//! The queue by itself, on a clock that only moves when everybody waits: who goes when, how long people wait, and that nobody
//! is forgotten.

use std::collections::BTreeMap;

use domain::testing::somebody;
use proptest::prelude::*;

use super::*;

/// One request of a simulation.
#[derive(Debug, Clone)]
struct Request {
    at: Duration,
    person: u128,
    priority: Priority,
    takes: Duration,
    cost: u64,
}

fn requests(person: u128, count: usize, at: Duration) -> impl Iterator<Item = Request> {
    let takes = Duration::from_secs(1);
    (0..count).map(move |_| Request { at, person, priority: Priority::Interactive, takes, cost: 500 })
}

/// Plays requests against one room and returns how long each waited, in their order; `None` for one that was turned away.
async fn play(room: &Arc<Room>, queue: &Arc<Queue>, requests: &[Request]) -> Vec<Option<Duration>> {
    let began = Instant::now();
    let mut playing = tokio::task::JoinSet::new();
    for (number, request) in requests.iter().cloned().enumerate() {
        let (room, queue) = (room.clone(), queue.clone());
        playing.spawn(async move {
            // Those of one moment come in their order.
            tokio::time::sleep_until(began + request.at + Duration::from_micros(number as u64)).await;
            let came = Instant::now();
            let pass = enter(&room, &queue, &request).await;
            let waited = pass.is_some().then(|| came.elapsed());
            if pass.is_some() {
                tokio::time::sleep(request.takes).await;
            }
            (number, waited)
        });
    }
    let mut waits = vec![None; requests.len()];
    while let Some(played) = playing.join_next().await {
        let (number, waited) = played.unwrap();
        waits[number] = waited;
    }
    waits
}

enum Entered {
    AtOnce(#[expect(dead_code, reason = "held, not looked at")] Hold),
    InTurn(#[expect(dead_code, reason = "held, not looked at")] Pass),
}

async fn enter(room: &Arc<Room>, queue: &Arc<Queue>, request: &Request) -> Option<Entered> {
    if let Some(hold) = room.try_enter() {
        return Some(Entered::AtOnce(hold));
    }
    let caller = somebody(request.person);
    let Request { priority, cost, .. } = *request;
    let want = Want { caller: &caller, priority, model: "main", cost, rooms: vec![room.clone()], within: None };
    let mut ticket = queue.join(want).ok()?;
    loop {
        if let Moved::Out(outcome) = ticket.moved().await {
            return outcome.ok().map(Entered::InTurn);
        }
    }
}

fn house(places: u32, waiting: Waiting) -> (Arc<Room>, Arc<Queue>) {
    let queue = Queue::new(waiting);
    (Room::new(Some(places), &queue), queue)
}

/// The waits of each person, in seconds.
fn by_person(requests: &[Request], waits: &[Option<Duration>]) -> BTreeMap<u128, Vec<u64>> {
    let mut people: BTreeMap<u128, Vec<u64>> = BTreeMap::new();
    for (request, wait) in requests.iter().zip(waits) {
        people.entry(request.person).or_default().push(wait.unwrap().as_millis().div_ceil(1_000) as u64);
    }
    people
}

/// Person 1 asks eighteen questions at once, 2 and 3 ask three each a moment later; two places, a second each.
fn crowd() -> Vec<Request> {
    let later = Duration::from_millis(100);
    requests(1, 18, Duration::ZERO).chain(requests(2, 3, later)).chain(requests(3, 3, later)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_heavy_person_does_not_starve_others() {
    let crowd = crowd();
    let (room, queue) = house(2, Waiting::default());
    let waits = play(&room, &queue, &crowd).await;
    let fair = by_person(&crowd, &waits);
    // Without fairness: as if all of them came from one person, first come, first served.
    let nobody: Vec<Request> = crowd.iter().map(|request| Request { person: 0, ..request.clone() }).collect();
    let (room, queue) = house(2, Waiting::default());
    let in_line = by_person(&crowd, &play(&room, &queue, &nobody).await);
    for (how, waits) in [("first come, first served", &in_line), ("in turns", &fair)] {
        println!("24 requests, 2 places, 1 s each; {how}:");
        for (person, waits) in waits {
            let mean = waits.iter().sum::<u64>() as f64 / waits.len() as f64;
            println!("  person {person}: {:>2} requests, waits of {waits:?} s, mean {mean:.1} s", waits.len());
        }
    }
    // Three people share two places: the k-th question of a person is answered after at most 3k - 2 others, two at a time.
    for person in [2, 3] {
        assert!(fair[&person].iter().max() <= Some(&5), "{fair:?}");
        assert!(in_line[&person].iter().min() >= Some(&9), "{in_line:?}");
    }
    assert_eq!(
        fair[&1].iter().max(),
        in_line[&3].iter().max(),
        "nobody's last answer comes later than the last of all"
    );
    assert_eq!((room.taken(), room.waiting()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn watched_work_comes_first_and_batch_work_never_waits_for_ever() {
    let batch = Request { priority: Priority::Batch, ..requests(9, 1, Duration::from_millis(1)).next().unwrap() };
    // One place, and a new question of somebody else every second for two minutes: there is never a gap.
    let mut all: Vec<Request> =
        (0..120).flat_map(|second| requests(second, 1, Duration::from_secs(second as u64))).collect();
    all.extend(requests(500, 3, Duration::ZERO));
    all.push(batch);
    let (room, queue) = house(1, Waiting::default());
    let waits = play(&room, &queue, &all).await;
    let waited = waits.last().unwrap().unwrap();
    assert!(waited >= Duration::from_secs(29), "it lets everybody pass at first: {waited:?}");
    assert!(waited <= Duration::from_secs(40), "and counts as one of them after 30 s: {waited:?}");
}

#[tokio::test(start_paused = true)]
async fn long_questions_count_for_what_they_cost() {
    let takes = Duration::from_secs(1);
    let long = requests(1, 10, Duration::ZERO).map(|request| Request { cost: 4_000, ..request });
    let short = requests(2, 10, Duration::from_millis(1)).map(|request| Request { cost: 500, ..request });
    let all: Vec<Request> = long.chain(short).map(|request| Request { takes, ..request }).collect();
    let (room, queue) = house(1, Waiting::default());
    let waits = by_person(&all, &play(&room, &queue, &all).await);
    assert!(waits[&2].iter().filter(|wait| **wait <= 10).count() >= 8, "eight short ones for a long one: {waits:?}");
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_turns_away_the_newest_of_whoever_has_most_in_it() {
    let waiting = Waiting { most: 4, ..Waiting::default() };
    let later = Duration::from_millis(100);
    let all: Vec<Request> =
        requests(1, 5, Duration::ZERO).chain(requests(2, 1, later)).chain(requests(1, 1, later * 2)).collect();
    let (room, queue) = house(1, waiting);
    let waits = play(&room, &queue, &all).await;
    let turned_away: Vec<usize> = (0..all.len()).filter(|number| waits[*number].is_none()).collect();
    assert_eq!(
        turned_away,
        [4, 6],
        "the fifth of person 1 made room for person 2, and the last did not fit: {waits:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn everybody_is_told_where_they_stand_and_who_leaves_frees_the_place() {
    let (room, queue) = house(1, Waiting::default());
    let hold = room.try_enter().unwrap();
    tokio::time::advance(Duration::from_secs(4)).await;
    drop(hold);
    let first = room.try_enter().unwrap();
    let people = [somebody(1), somebody(2), somebody(3)];
    let want = |at: usize| Want {
        caller: &people[at],
        priority: Priority::Interactive,
        model: "main",
        cost: 1,
        rooms: vec![room.clone()],
        within: None,
    };
    let mut tickets: Vec<Ticket> = (0..3).map(|at| queue.join(want(at)).unwrap()).collect();
    let told = |ticket: &Ticket| *ticket.standing.borrow();
    let standing = |position, seconds| Standing { position, eta: Some(Duration::from_secs(seconds)) };
    assert_eq!(tickets.iter().map(told).collect::<Vec<_>>(), [standing(1, 4), standing(2, 8), standing(3, 12)]);
    drop(tickets.remove(1));
    assert_eq!(tickets.iter().map(told).collect::<Vec<_>>(), [standing(1, 4), standing(2, 8)]);
    assert!(room.try_enter().is_none(), "nobody overtakes them");
    drop(first);
    let Moved::Out(Ok(pass)) = tickets[0].moved().await else { panic!("it was their turn") };
    drop(tickets.remove(0));
    // A place that was given to somebody who left in that moment goes to the next.
    drop(pass);
    let Moved::Out(Ok(_pass)) = tickets[0].moved().await else { panic!("it was their turn") };
    assert_eq!(room.waiting(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_alias_has_a_bound_of_its_own() {
    let queue = Queue::new(Waiting::default());
    let (one, other, alias) = (Room::new(None, &queue), Room::new(None, &queue), Room::new(Some(2), &queue));
    let caller = somebody(1);
    let want = || Want {
        caller: &caller,
        priority: Priority::Interactive,
        model: "main",
        cost: 1,
        rooms: vec![one.clone(), other.clone()],
        within: Some(alias.clone()),
    };
    let mut tickets: Vec<Ticket> = (0..3).map(|_| queue.join(want()).unwrap()).collect();
    let (Moved::Out(Ok(first)), Moved::Out(Ok(_second))) = (tickets[0].moved().await, tickets[1].moved().await) else {
        panic!()
    };
    assert_eq!(alias.taken(), 2);
    assert!(tickets[2].outcome.try_recv().is_err(), "it waits although every deployment has room");
    drop(first);
    assert!(matches!(tickets[2].moved().await, Moved::Out(Ok(_))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Nobody is lost, no place is given twice, and a person with few questions waits no longer for each than everybody's
    /// share: all who are there, once per question of theirs.
    #[test]
    fn fair_whoever_comes(
        counts in prop::collection::vec(1_usize..12, 1..6),
        places in 1_u32..5,
        gaps in prop::collection::vec(0_u64..50, 6),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let all: Vec<Request> = counts
                .iter()
                .enumerate()
                .flat_map(|(person, count)| requests(person as u128, *count, Duration::from_millis(gaps[person])))
                .collect();
            let (room, queue) = house(places, Waiting::default());
            let waits = play(&room, &queue, &all).await;
            assert!(waits.iter().all(Option::is_some), "nobody is lost");
            assert_eq!((room.taken(), room.waiting()), (0, 0));
            for (person, waits) in by_person(&all, &waits) {
                // Of those who are there, each is served at most once more than this person, and those under way end first.
                let mine = counts[usize::try_from(person).unwrap()];
                let before: usize = counts.iter().map(|count| (*count).min(mine + 1)).sum();
                let bound = before.div_ceil(usize::try_from(places).unwrap()) + 2;
                assert!(*waits.iter().max().unwrap() <= bound as u64, "person {person} of {counts:?}: {waits:?} > {bound}");
            }
        });
    }
}
