//! Glyphs and ruled lines of a page, as a device that draws nothing is told of them. Points from the upper left corner.

use hayro_interpret::font::{Glyph as Shape, GlyphRun};
use hayro_interpret::hayro_cmap::BfString;
use hayro_interpret::hayro_syntax::page::Page as PdfPage;
use hayro_interpret::kurbo::{Affine, BezPath, Point, Rect, Shape as _};
use hayro_interpret::{
    BlendMode, ClipPath, Device, DrawMode, DrawProps, Image, ImageDrawProps, SoftMask, TransformExt as _,
};

use crate::limits;

/// A filled area that is not thicker than this is a line.
const THIN: f64 = 3.0;
/// Ruled lines of a page: more is a drawing.
const RULES: usize = 5_000;

/// A character where it stands.
#[derive(Debug, Clone)]
pub(super) struct Glyph {
    pub(super) text: String,
    pub(super) x0: f64,
    pub(super) x1: f64,
    /// The base line.
    pub(super) y: f64,
    pub(super) size: f64,
}

/// A horizontal or vertical line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rule {
    pub(super) x0: f64,
    pub(super) y0: f64,
    pub(super) x1: f64,
    pub(super) y1: f64,
}

/// What a page shows.
#[derive(Default)]
pub(super) struct Page {
    pub(super) glyphs: Vec<Glyph>,
    pub(super) rules: Vec<Rule>,
}

/// The transform under which the page stands upright, its origin above and left.
pub(super) fn upright(page: &PdfPage<'_>) -> Affine {
    page.initial_transform(true).to_kurbo()
}

impl Page {
    fn rule(&mut self, area: Rect) {
        let (wide, high) = (area.width(), area.height());
        if self.rules.len() >= RULES || wide.max(high) < 4.0 || !(wide + high).is_finite() {
            return;
        }
        let Rect { x0, y0, x1, y1 } = area;
        if high <= THIN && wide > high {
            let y = f64::midpoint(y0, y1);
            self.rules.push(Rule { x0, y0: y, x1, y1: y });
        } else if wide <= THIN && high > wide {
            let x = f64::midpoint(x0, x1);
            self.rules.push(Rule { x0: x, y0, x1: x, y1 });
        }
    }

    /// The four sides of a frame.
    fn frame(&mut self, area: Rect) {
        let Rect { x0, y0, x1, y1 } = area;
        for side in
            [Rect::new(x0, y0, x1, y0), Rect::new(x0, y1, x1, y1), Rect::new(x0, y0, x0, y1), Rect::new(x1, y0, x1, y1)]
        {
            self.rule(side);
        }
    }
}

impl<'a> Device<'a> for Page {
    fn draw_glyph_run(&mut self, run: &GlyphRun<'_, 'a>, props: DrawProps<'a>, _: &DrawMode) {
        for glyph in run.glyphs() {
            if self.glyphs.len() >= limits::GLYPHS {
                return;
            }
            let text = match glyph.as_unicode() {
                Some(BfString::Char(c)) => c.to_string(),
                Some(BfString::String(text)) => text,
                None => continue,
            };
            let advance = match &**glyph {
                Shape::Outline(outline) => outline.advance_width(),
                Shape::Type3(shape) => shape.advance_width(),
            };
            let transform = props.transform * glyph.transform();
            let at = |x: f64, y: f64| transform * Point::new(x, y);
            let (start, end, top) = (at(0.0, 0.0), at(f64::from(advance.unwrap_or(500.0)), 0.0), at(0.0, 1000.0));
            let size = (top - start).hypot();
            // Text that is turned on its side stands letter by letter; it would tear the lines apart.
            let turned = (end.y - start.y).abs() > (end.x - start.x).abs() + 0.01;
            if !size.is_finite() || size < 0.5 || turned || !(start.x + end.x).is_finite() {
                continue;
            }
            let (x0, x1) = (start.x.min(end.x), start.x.max(end.x));
            self.glyphs.push(Glyph { text, x0, x1, y: start.y, size });
        }
    }

    fn draw_path(&mut self, path: &BezPath, props: DrawProps<'a>, mode: &DrawMode) {
        let path = props.transform * path.clone();
        match mode {
            DrawMode::Invisible => {}
            DrawMode::Stroke(_) | DrawMode::FillAndStroke(..) => {
                for segment in path.segments().take(RULES) {
                    self.rule(segment.bounding_box());
                }
            }
            DrawMode::Fill(_) => {
                // A fill may hold many thin areas at once.
                let mut piece = BezPath::new();
                for element in path.elements().iter().take(5 * RULES) {
                    if matches!(element, hayro_interpret::kurbo::PathEl::MoveTo(_)) && !piece.elements().is_empty() {
                        self.rule(piece.bounding_box());
                        piece = BezPath::new();
                    }
                    piece.push(*element);
                }
                if !piece.elements().is_empty() {
                    self.rule(piece.bounding_box());
                }
            }
        }
    }

    fn draw_rect(&mut self, rect: &Rect, props: DrawProps<'a>, mode: &DrawMode) {
        let area = props.transform.transform_rect_bbox(*rect);
        match mode {
            DrawMode::Invisible => {}
            DrawMode::Fill(_) => self.rule(area),
            DrawMode::Stroke(_) | DrawMode::FillAndStroke(..) => self.frame(area),
        }
    }

    fn push_clip_path(&mut self, _: &ClipPath) {}
    fn push_transparency_group(&mut self, _: f32, _: Option<SoftMask<'a>>, _: BlendMode) {}
    fn draw_image(&mut self, _: Image<'a, '_>, _: ImageDrawProps<'a>) {}
    fn pop_clip(&mut self) {}
    fn pop_transparency_group(&mut self) {}
}
