//! llama.cpp's eyes: the projector beside a model, and the album of what it saw, from which a batch takes the rows of its places.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use super::native_vision::{Part, Projector};
use crate::{
    Error,
    backend::{Failed, Input, Rows, Seen, Sight, Token},
    gguf,
    pictures::Pixels,
};

/// Side of the picture that is looked at while loading: whatever is wrong with the projector shows then, not at a person's picture.
const FIRST_PICTURE: u32 = 64;
/// Projectors whose places depend on where in the prompt they are, or have numbers for rows of their own.
const NOT_COMPUTED: [&str; 2] = ["deepseek4v", "hunyuanvl"];

/// What was seen and is still held by somebody, by its first token.
#[derive(Default)]
pub(super) struct Album(Mutex<BTreeMap<Token, Weak<Rows>>>);

impl Album {
    /// The rows that `token` is a place of, and the place's number among them.
    pub(super) fn find(&self, token: Token) -> Option<(Arc<Rows>, usize)> {
        let album = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let rows = album.range(..=token).next_back()?.1.upgrade()?;
        let place = usize::try_from(token.checked_sub(rows.first)?).ok()?;
        rows.tokens().contains(&token).then_some((rows, place))
    }

    fn add(&self, rows: &Arc<Rows>) {
        let mut album = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        album.retain(|_, rows| rows.strong_count() > 0);
        album.insert(rows.first, Arc::downgrade(rows));
    }
}

/// What goes into one call of llama.cpp: inputs that are all tokens, or all places of pictures.
pub(super) struct Run<'a> {
    /// Where it begins in the batch.
    pub(super) at: usize,
    pub(super) inputs: &'a [Input],
    /// The numbers of their rows, where they are places, and whether these see one another.
    pub(super) places: Option<(Vec<f32>, bool)>,
}

/// Takes a batch apart into what can be computed together; `apart` leaves each token to itself.
pub(super) fn runs<'a>(batch: &'a [Input], album: &Album, apart: bool) -> Result<Vec<Run<'a>>, Failed> {
    let (mut runs, mut at) = (Vec::new(), 0);
    while let Some(rest) = batch.get(at..).filter(|rest| !rest.is_empty()) {
        let most = if apart { 1 } else { rest.len() };
        let tokens = rest.iter().take(most).take_while(|input| input.token >= 0).count();
        let (len, places) = match tokens {
            0 => places(rest, album, most)?,
            tokens => (tokens, None),
        };
        let inputs = rest.get(..len).unwrap_or(rest);
        runs.push(Run { at, inputs, places });
        at += inputs.len();
    }
    Ok(runs)
}

/// The places that `inputs` begin with, at most so many, but all of a picture whose places see one another; and their numbers.
#[expect(clippy::type_complexity, reason = "what a run is made of")]
fn places(inputs: &[Input], album: &Album, most: usize) -> Result<(usize, Option<(Vec<f32>, bool)>), Failed> {
    let broken = |why: &str| Failed::Broken(why.into());
    let (mut numbers, mut len) = (Vec::new(), 0);
    for input in inputs.iter().take(most).take_while(|input| input.token < 0) {
        let (rows, place) = album.find(input.token).ok_or_else(|| broken("nobody holds what was seen of a picture"))?;
        if rows.whole {
            if len > 0 {
                break;
            }
            let of_it = inputs
                .iter()
                .zip(rows.tokens())
                .take_while(|(other, token)| other.token == *token && other.slot == input.slot);
            if of_it.count() != rows.len as usize {
                return Err(broken("a picture came in pieces"));
            }
            return Ok((rows.len as usize, Some((rows.numbers.clone(), true))));
        }
        let width = rows.numbers.len() / rows.len.max(1) as usize;
        let row = rows.numbers.get(place * width..(place + 1) * width);
        numbers.extend_from_slice(row.ok_or_else(|| broken("a picture has fewer rows than places"))?);
        len += 1;
    }
    Ok((len, Some((numbers, false))))
}

/// The projector at work.
pub(super) struct Eyes {
    projector: Projector,
    album: Arc<Album>,
    /// The token of the next place: each is given once in a worker's life.
    next: Token,
    /// Most places that are computed at once.
    at_once: u32,
}

impl Eyes {
    /// Loads the projector; whoever computes looks into `album`.
    pub(super) fn open(projector: Projector, album: Arc<Album>, at_once: u32) -> Result<Self, String> {
        let mut eyes = Eyes { projector, album, next: Token::MIN, at_once };
        let grey = vec![0x80; (FIRST_PICTURE * FIRST_PICTURE * 3) as usize];
        let first = Pixels { width: FIRST_PICTURE, height: FIRST_PICTURE, rgb: grey };
        eyes.look(&first).map_err(|why| format!("a picture {why}"))?;
        Ok(eyes)
    }
}

impl Sight for Eyes {
    fn look(&mut self, picture: &Pixels) -> Result<Seen, String> {
        let mut seen = Seen::default();
        for part in self.projector.look(picture)? {
            let (len, numbers, whole) = match part {
                Part::Tokens(mut tokens) => {
                    seen.tokens.append(&mut tokens);
                    continue;
                }
                Part::Rows { len, numbers, whole } => (len, numbers, whole),
            };
            if whole && len > self.at_once {
                return Err(format!(
                    "takes {len} places that have to be read at once, and this engine reads {} at once",
                    self.at_once
                ));
            }
            let first = self.next;
            self.next = first
                .checked_add_unsigned(len)
                .filter(|next| *next <= 0)
                .ok_or("is one too many for this worker's life: start it again")?;
            let rows = Arc::new(Rows { first, len, numbers, whole });
            seen.tokens.extend(rows.tokens());
            self.album.add(&rows);
            seen.rows.push(rows);
        }
        Ok(seen)
    }
}

/// Checks the head of the projector in `path` before C++ sees it; the bytes of its weights.
pub(super) fn check(path: &Path) -> Result<u64, Error> {
    let head = gguf::read_projector(path)?;
    let kind = head.text("clip.projector_type").or_else(|| head.text("clip.vision.projector_type"));
    match kind.filter(|kind| NOT_COMPUTED.contains(kind)) {
        None => Ok(head.weight_bytes()),
        Some(kind) => Err(Error::Projector {
            path: path.to_owned(),
            reason: format!("is of the kind {kind}, whose places this engine does not compute"),
        }),
    }
}

#[cfg(test)]
mod tests;
