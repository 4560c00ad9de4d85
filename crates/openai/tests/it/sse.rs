//! Events out of reads: however the bytes are cut, the events are the same.

use bytes::Bytes;
use openai::{Decoder, Encoder, Error, frames};
use proptest::prelude::*;

type Event = (Option<Vec<u8>>, Vec<u8>);

/// Feeds the pieces, checks that the raw bytes come out as they went in, and returns the events with data.
fn decode(pieces: &[&[u8]]) -> Vec<Event> {
    let mut decoder = Decoder::new(1 << 20);
    let mut events = Vec::new();
    let mut raw = Vec::new();
    let mut take = |whole: Bytes| {
        for frame in frames(&whole) {
            raw.extend_from_slice(frame.raw);
            if let Some(data) = frame.data {
                events.push((frame.event.map(<[u8]>::to_vec), data.into_owned()));
            }
        }
    };
    for piece in pieces {
        take(decoder.feed(Bytes::copy_from_slice(piece)).expect("under the limit"));
    }
    take(decoder.finish());
    let all = pieces.concat();
    assert!(raw.starts_with(&all), "bytes were lost or changed");
    events
}

fn texts(stream: &str) -> Vec<String> {
    decode(&[stream.as_bytes()]).into_iter().map(|(_, data)| String::from_utf8(data).expect("UTF-8")).collect()
}

#[test]
fn a_read_of_whole_events_is_not_copied() {
    let read = Bytes::from_static(b"data: 1\n\ndata: 2\n\n");
    let whole = Decoder::new(100).feed(read.clone()).expect("whole");
    assert_eq!(whole.as_ptr(), read.as_ptr());
    assert_eq!(whole, read);
}

#[test]
fn case_01_utf8_split_across_reads() {
    let stream = "data: {\"text\":\"你好，世界🌍\"}\n\n".as_bytes();
    let whole = decode(&[stream]);
    for at in 0..=stream.len() {
        assert_eq!(decode(&[&stream[..at], &stream[at..]]), whole);
    }
}

#[test]
fn case_02_an_event_split_across_reads() {
    let stream = b"data: {\"usage\":{\"prompt_tokens\":3}}\n\ndata: [DONE]\n\n";
    let bytes: Vec<&[u8]> = stream.chunks(1).collect();
    assert_eq!(decode(&bytes), decode(&[stream]));
    assert_eq!(decode(&bytes).len(), 2);
}

#[test]
fn case_03_crlf_and_no_space() {
    assert_eq!(texts("data:a\r\n\r\ndata: b\r\n\r\n"), ["a", "b"]);
    assert_eq!(texts("data:a\r\rdata: b\r\r"), ["a", "b"]);
    assert_eq!(texts("data:  two spaces\n\n"), [" two spaces"]);
}

#[test]
fn case_04_comments_are_not_data() {
    assert_eq!(texts(": keep-alive\n\ndata: a\n: inside\n\n:\n\ndata: b\n\n"), ["a", "b"]);
}

#[test]
fn case_06_empty_data_is_an_event_without_content() {
    assert_eq!(texts("data:\n\ndata: \n\n\n\ndata: a\n\n"), ["", "", "a"]);
}

#[test]
fn several_data_lines_are_one_event() {
    assert_eq!(texts("data: {\"a\":\ndata: 1}\n\n"), ["{\"a\":\n1}"]);
    let named = decode(&[b"event: error\nid: 7\nretry: 10\ndata: x\n\n"]);
    assert_eq!(named, [(Some(b"error".to_vec()), b"x".to_vec())]);
}

#[test]
fn a_last_event_without_its_blank_line_is_still_seen() {
    assert_eq!(texts("data: a\n\ndata: [DONE]"), ["a", "[DONE]"]);
    assert_eq!(texts("\u{feff}data: a\n\n"), ["a"]);
}

#[test]
fn an_endless_event_is_given_up() {
    let mut decoder = Decoder::new(10);
    let outcome = (0..5).map(|_| decoder.feed(Bytes::from_static(b"data"))).find(Result::is_err);
    assert_eq!(outcome, Some(Err(Error::FrameTooLong { limit: 10 })));
}

#[test]
fn what_the_encoder_writes_the_decoder_reads() {
    let mut encoder = Encoder::new();
    encoder.json(&serde_json::json!({"text": "line\nbreak \u{2028}"}));
    encoder.done();
    let written = encoder.take();
    let events = decode(&[&written]);
    assert_eq!(events[0].1, "{\"text\":\"line\\nbreak \u{2028}\"}".as_bytes());
    assert_eq!(events[1].1, b"[DONE]");
}

proptest! {
    #[test]
    fn any_split_of_any_stream_gives_the_same_events(
        lines in prop::collection::vec("(data:|data: |: |event: |id:)?[a你🌍\\[\\]{}\": ]{0,6}(\n|\r\n|\r)(\n|\r\n|\r)?", 0..12),
        mut cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let stream = lines.concat().into_bytes();
        let mut at: Vec<usize> = cuts.drain(..).map(|cut| cut.index(stream.len() + 1)).collect();
        at.extend([0, stream.len()]);
        at.sort_unstable();
        let pieces: Vec<&[u8]> = at.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect();
        prop_assert_eq!(decode(&pieces), decode(&[&stream]));
    }

    #[test]
    fn hostile_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let pieces: Vec<&[u8]> = bytes.chunks(7).collect();
        decode(&pieces);
        let _ = openai::parse_chunk(&bytes);
        let _ = openai::scan(&bytes);
    }
}
