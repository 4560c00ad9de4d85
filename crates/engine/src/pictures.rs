//! Pictures that clients send: from the URL in a request to checked pixels. What they weigh is known before room is made for them, so that a few
//! bytes cannot become gigabytes. Nothing is fetched, and what a model sees in a picture is not known here (`eyes`).

use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};
use zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions};
use zune_jpeg::JpegDecoder;

mod eyes;

pub use eyes::{Eyes, NotSeen};

/// Pictures of one request.
pub const MOST: usize = 16;
/// Bytes of one picture as it was sent.
pub const LARGEST: usize = 20 << 20;
/// Pixels of one picture: those of a screen of 8K.
pub const MOST_PIXELS: u64 = 7680 * 4320;
/// Pixels of one side.
pub const LONGEST_SIDE: u32 = 16_384;
/// Bytes of one pixel.
const CHANNELS: usize = 3;

/// A decoded picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pixels {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Red, green and blue of each pixel, row by row.
    pub rgb: Vec<u8>,
}

/// A picture was refused; the rest of a sentence that begins with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub String);

fn refused<T>(why: impl Into<String>) -> Result<T, Refused> {
    Err(Refused(why.into()))
}

/// A picture as it was sent, and the name that no other has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    bytes: Vec<u8>,
    digest: [u8; 32],
}

impl Sent {
    /// Takes the picture out of a `data:` URL. What the URL says of its type is not believed.
    ///
    /// # Errors
    /// [`Refused`] when it is no such URL, its text is no base64 or its bytes are too many.
    pub fn from_url(url: &str) -> Result<Self, Refused> {
        let scheme = url.get(..5).unwrap_or_default();
        if !scheme.eq_ignore_ascii_case("data:") {
            return refused("must be a data: URL with the picture in it: this engine fetches nothing");
        }
        let Some((_, text)) = url.split_once(";base64,") else {
            return refused("must be a data: URL in base64 (data:image/png;base64,…)");
        };
        if text.len() / 4 * 3 > LARGEST {
            return refused(format!("has more than {} MiB", LARGEST >> 20));
        }
        match STANDARD.decode(text) {
            Ok(bytes) => Ok(Sent::new(bytes)),
            Err(error) => refused(format!("is no base64: {error}")),
        }
    }

    /// A picture of these bytes.
    pub fn new(bytes: Vec<u8>) -> Self {
        let digest = Sha256::digest(&bytes).into();
        Sent { bytes, digest }
    }

    /// Decodes it: PNG and JPEG.
    ///
    /// # Errors
    /// [`Refused`] when it is neither, is broken, or too large.
    pub fn decode(&self) -> Result<Pixels, Refused> {
        match self.bytes.as_slice() {
            [0x89, b'P', b'N', b'G', ..] => png(&self.bytes),
            [0xff, 0xd8, 0xff, ..] => jpeg(&self.bytes),
            _ => refused("is neither PNG nor JPEG"),
        }
    }
}

/// Bytes that the pixels of a picture take, where that is not too much.
fn room(width: u32, height: u32) -> Result<usize, Refused> {
    let pixels = u64::from(width) * u64::from(height);
    if pixels == 0 {
        return refused("has no pixels");
    }
    if pixels > MOST_PIXELS || width > LONGEST_SIDE || height > LONGEST_SIDE {
        let most = MOST_PIXELS / 1_000_000;
        return refused(format!(
            "has {width} x {height} pixels; at most {most} million are read, and {LONGEST_SIDE} on a side"
        ));
    }
    usize::try_from(pixels).map(|pixels| pixels * CHANNELS).or_else(|_| refused("has too many pixels"))
}

fn png(bytes: &[u8]) -> Result<Pixels, Refused> {
    let broken = |error: png::DecodingError| Refused(format!("is a broken PNG: {error}"));
    let mut decoder = png::Decoder::new(std::io::Cursor::new(bytes));
    // Eight bits for each colour, whatever it was written with; other chunks are not opened.
    decoder.set_transformations(png::Transformations::EXPAND | png::Transformations::STRIP_16);
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    let (width, height) = {
        let head = decoder.read_header_info().map_err(broken)?;
        (head.width, head.height)
    };
    let room = room(width, height)?;
    let mut reader = decoder.read_info().map_err(broken)?;
    let size = reader.output_buffer_size().ok_or_else(|| Refused("has too many pixels".into()))?;
    let mut samples = vec![0; size];
    let frame = reader.next_frame(&mut samples).map_err(broken)?;
    samples.truncate(frame.buffer_size());
    // What is transparent counts as if it were not, as in other readers for models.
    let of_a_pixel = frame.color_type.samples();
    let mut rgb = Vec::with_capacity(room);
    for pixel in samples.chunks_exact(of_a_pixel) {
        match *pixel {
            [grey] | [grey, _] => rgb.extend([grey; CHANNELS]),
            [red, green, blue] | [red, green, blue, _] => rgb.extend([red, green, blue]),
            _ => {}
        }
    }
    whole(Pixels { width, height, rgb }, room)
}

fn jpeg(bytes: &[u8]) -> Result<Pixels, Refused> {
    let broken = |error: zune_jpeg::errors::DecodeErrors| Refused(format!("is a broken JPEG: {error}"));
    let side = LONGEST_SIDE as usize;
    let options = DecoderOptions::default()
        .set_max_width(side)
        .set_max_height(side)
        .set_strict_mode(true)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(broken)?;
    let Some((width, height)) = decoder.dimensions() else { return refused("is a broken JPEG: it has no size") };
    let side = |side: usize| u32::try_from(side).map_err(|_| Refused("has too many pixels".into()));
    let (width, height) = (side(width)?, side(height)?);
    let room = room(width, height)?;
    let rgb = decoder.decode().map_err(broken)?;
    whole(Pixels { width, height, rgb }, room)
}

fn whole(pixels: Pixels, room: usize) -> Result<Pixels, Refused> {
    if pixels.rgb.len() == room { Ok(pixels) } else { refused("does not have the pixels that it speaks of") }
}
