//! Tables of results. One with few rows and many columns is turned on its side, so that it fits the page.

use std::fmt::Write;

use flow_figure::escape;
use flow_plugin::artifact::metrics::number as as_number;
use serde_json::Value;

/// Rows that are shown.
const ROWS: usize = 50;
/// About how wide the page is, in characters of a table.
const PAGE: usize = 140;
/// The space between two columns, in characters.
const GAP: usize = 2;
/// Longer texts break into lines.
const LINE: usize = 30;

/// One place in a table.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Cell {
    text: String,
    /// For a number: its value, by which to sort, if it is one value.
    number: Option<Option<f64>>,
}

impl Cell {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), number: None }
    }

    pub(super) fn number(value: f64) -> Self {
        Self { text: number(value), number: Some(Some(value)) }
    }

    /// Whole numbers in full: they are counts or names.
    pub(super) fn whole(value: i64) -> Self {
        Self { text: value.to_string(), number: Some(Some(value as f64)) }
    }

    /// A value of metrics.
    pub(super) fn value(value: &Value) -> Self {
        const LISTED: usize = 8;
        if let Some(n) = as_number(value) {
            return value.as_i64().map_or_else(|| Self::number(n), Self::whole);
        }
        match value {
            Value::String(text) => Self::text(text),
            Value::Array(items) if items.len() <= LISTED && items.iter().all(|v| as_number(v).is_some()) => {
                let items: Vec<String> = items.iter().filter_map(as_number).map(number).collect();
                Self { text: items.join(", "), number: Some(None) }
            }
            Value::Array(items) => Self { text: format!("{} values", items.len()), number: Some(None) },
            other => Self::text(other.to_string()),
        }
    }

    fn width(&self) -> usize {
        let length = self.text.chars().count();
        if self.number.is_some() { length } else { length.min(LINE) }
    }

    fn html(&self) -> String {
        let text = escape(&self.text);
        match self.number {
            None => format!("<td>{text}</td>"),
            Some(None) => format!("<td class=\"n\">{text}</td>"),
            Some(Some(n)) => format!("<td class=\"n\" data-v=\"{n}\" title=\"{n}\">{text}</td>"),
        }
    }
}

/// A table: the names of the columns, and the rows below them.
#[derive(Clone, Debug, Default)]
pub(super) struct Grid {
    heads: Vec<String>,
    rows: Vec<Vec<Cell>>,
    /// How many rows there are, of which the first are shown.
    all: usize,
}

impl Grid {
    pub(super) fn new(heads: Vec<String>, rows: impl ExactSizeIterator<Item = Vec<Cell>>) -> Self {
        let all = rows.len();
        Self { heads, rows: rows.take(ROWS).collect(), all }
    }

    /// The table in HTML, on its side if only that fits the page.
    pub(super) fn html(&self) -> String {
        // Numbers stand at the right, and so does what they are under.
        let numeric = |column: usize| {
            let mut cells = self.rows.iter().filter_map(|row| row.get(column)).filter(|c| !c.text.is_empty());
            cells.all(|cell| cell.number.is_some())
        };
        let numeric: Vec<bool> = (0..self.heads.len()).map(numeric).collect();
        let upright = self.heads.iter().enumerate().map(|(at, head)| {
            let cells = self.rows.iter().filter_map(|row| row.get(at)).map(Cell::width).max().unwrap_or(0);
            cells.max(head.chars().count()) + GAP
        });
        let upright: usize = upright.sum();
        let turned: usize =
            self.rows.iter().map(|row| row.iter().map(Cell::width).max().unwrap_or(0) + GAP).sum();
        let few = self.rows.len() < self.heads.len() && self.all <= ROWS;
        // A long table scrolls in a window of its own.
        const SHORT: usize = 15;
        let tall = if self.rows.len() > SHORT { " tall" } else { "" };
        let mut html = format!("<div class=\"scroll{tall}\">");
        if upright > PAGE && few && turned < upright {
            self.write_turned(&mut html);
        } else {
            self.write_upright(&mut html, &numeric, upright > PAGE);
        }
        html.push_str("</table></div>");
        if self.all > ROWS {
            // Writing to a string cannot fail, here and below.
            let _ = write!(html, "<p class=\"note\">The first {ROWS} of {} rows.</p>", self.all);
        }
        html
    }

    fn write_upright(&self, html: &mut String, numeric: &[bool], wide: bool) {
        let tight = if wide { " tight" } else { "" };
        let _ = write!(html, "<table class=\"sortable{tight}\"><thead><tr>");
        for (head, numeric) in self.heads.iter().zip(numeric) {
            let class = if *numeric { " class=\"n\"" } else { "" };
            let _ = write!(html, "<th{class}>{}</th>", breakable(head));
        }
        html.push_str("</tr></thead><tbody>");
        for row in &self.rows {
            html.push_str("<tr>");
            row.iter().for_each(|cell| html.push_str(&cell.html()));
            html.push_str("</tr>");
        }
        html.push_str("</tbody>");
    }

    /// A line for each column; what stood in the first column names the columns now.
    fn write_turned(&self, html: &mut String) {
        html.push_str("<table class=\"turned\">");
        for (column, head) in self.heads.iter().enumerate() {
            html.push_str(if column == 0 { "<thead><tr>" } else { "<tr>" });
            let _ = write!(html, "<th scope=\"row\">{}</th>", escape(head));
            for row in &self.rows {
                match row.get(column) {
                    Some(cell) if column == 0 => {
                        let _ = write!(html, "<th class=\"n\">{}</th>", breakable(&cell.text));
                    }
                    Some(cell) => html.push_str(&cell.html()),
                    None => html.push_str("<td></td>"),
                }
            }
            html.push_str(if column == 0 { "</tr></thead><tbody>" } else { "</tr>" });
        }
        html.push_str("</tbody>");
    }
}

/// A number with about four digits.
pub(super) fn number(value: f64) -> String {
    if value == 0.0 {
        return "0".into();
    }
    if !value.is_finite() {
        return if value.is_nan() {
            "NaN".into()
        } else if value > 0.0 {
            "∞".into()
        } else {
            "−∞".into()
        };
    }
    let size = value.abs();
    let text = if (1e-3..1e6).contains(&size) {
        let digits = if value.fract() == 0.0 { 0 } else { (3 - size.log10().floor() as i32).max(0) };
        let text = format!("{value:.*}", digits as usize);
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
    } else {
        format!("{value:.3e}")
    };
    text.replace('-', "−")
}

/// A name that may break into lines behind its dots and underscores.
fn breakable(name: &str) -> String {
    escape(name).replace('_', "_<wbr>").replace('.', ".<wbr>")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(rows: usize, columns: usize) -> Grid {
        let heads = (0..columns).map(|n| if n == 0 { "model".into() } else { format!("a_long_name_{n}") });
        let row = |at: usize| {
            let name = Cell::text(format!("model {at}"));
            std::iter::once(name).chain((1..columns).map(|n| Cell::number((at * n) as f64))).collect()
        };
        Grid::new(heads.collect(), (0..rows).map(row))
    }

    #[test]
    fn a_wide_table_of_few_rows_is_turned() {
        let html = grid(3, 12).html();
        assert!(html.contains(
            "<thead><tr><th scope=\"row\">model</th><th class=\"n\">model 0</th><th class=\"n\">model 1</th>"
        ));
        assert!(html.contains(
            "<tr><th scope=\"row\">a_long_name_11</th><td class=\"n\" data-v=\"0\" title=\"0\">0</td>\
             <td class=\"n\" data-v=\"11\" title=\"11\">11</td>"
        ));
        // The lines of a turned table are of different things: to sort them would mean nothing.
        assert!(!html.contains("sortable"));
    }

    #[test]
    fn other_tables_stay_upright() {
        for (rows, columns) in [(3, 5), (20, 12), (60, 70)] {
            let html = grid(rows, columns).html();
            assert!(html.contains("sortable") && !html.contains("turned"), "{rows} × {columns}");
            assert_eq!(html.contains("sortable tight"), columns > 5, "a smaller font where it is wide");
            assert!(html.contains("<th class=\"n\">a_<wbr>long_<wbr>name_<wbr>1</th>"));
            assert_eq!(html.matches("<tr>").count(), rows.min(ROWS) + 1);
        }
        assert!(grid(60, 3).html().contains("The first 50 of 60 rows."));
    }
}
