//! A frame as the client must see it where the back end named two tool calls by one index. Nothing else of it changes.

use domain::TurnEvent;
use serde_json::Value;

/// A frame whose tool calls carry our indexes instead of the back end's, which named two calls by one.
pub(super) fn renumbered(data: &[u8], events: &[TurnEvent]) -> Option<Vec<u8>> {
    let mut chunk: Value = serde_json::from_slice(data).ok()?;
    let mut ours = events.iter().filter_map(|event| match event {
        TurnEvent::ToolCalled { index, .. } => Some(*index),
        _ => None,
    });
    let choices = chunk.get_mut("choices")?.as_array_mut()?;
    for choice in choices.iter_mut().filter(|choice| choice.get("index").is_none_or(|index| index == 0)) {
        let Some(calls) = choice.pointer_mut("/delta/tool_calls").and_then(Value::as_array_mut) else { continue };
        for call in calls.iter_mut().filter_map(Value::as_object_mut) {
            call.insert("index".to_owned(), ours.next()?.into());
        }
    }
    let mut frame = b"data: ".to_vec();
    serde_json::to_writer(&mut frame, &chunk).ok()?;
    frame.extend_from_slice(b"\n\n");
    Some(frame)
}
