//! Tables that fit the terminal they are read on, and are whole where a program reads them.

use unicode_width::UnicodeWidthChar;

/// Between two columns.
const GAP: usize = 2;
/// No column is made narrower than this, as long as that is of any use.
const NARROWEST: usize = 6;

/// Rows under their headings. `width` is the terminal's; without one nothing is shortened. The first column never is: it holds what
/// is copied.
pub fn table(head: &[&str], rows: &[Vec<String>], width: Option<usize>) -> Vec<String> {
    let head: Vec<String> = head.iter().map(|&name| name.to_owned()).collect();
    let all: Vec<&Vec<String>> = std::iter::once(&head).chain(rows).collect();
    let mut widths: Vec<usize> = (0..head.len())
        .map(|at| all.iter().filter_map(|row| row.get(at)).map(|cell| columns(cell)).max().unwrap_or(0))
        .collect();
    if let Some(room) = width {
        while widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1) > room {
            let widest = widths.iter_mut().skip(1).filter(|width| **width > NARROWEST).max();
            match widest {
                Some(width) => *width -= 1,
                None => break,
            }
        }
    }
    all.iter().map(|row| line(row, &widths, width)).collect()
}

fn line(row: &[String], widths: &[usize], room: Option<usize>) -> String {
    let mut line = String::new();
    for (at, (cell, &width)) in row.iter().zip(widths).enumerate() {
        let cell = fitted(cell, width);
        let padding = if at + 1 == widths.len() { 0 } else { width - columns(&cell) + GAP };
        line.push_str(&cell);
        line.extend(std::iter::repeat_n(' ', padding));
    }
    let line = line.trim_end();
    room.map_or_else(|| line.to_owned(), |room| fitted(line, room))
}

/// The text in so many columns, the last of which says that there was more.
pub fn fitted(text: &str, width: usize) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    let mut taken = 0;
    let mut out: String = text
        .chars()
        .take_while(|&character| {
            taken += character.width().unwrap_or(0);
            taken < width
        })
        .collect();
    if width > 0 {
        out.push('…');
    }
    out
}

fn columns(text: &str) -> usize {
    text.chars().map(|character| character.width().unwrap_or(0)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_fits_whatever_the_terminal_and_whatever_is_in_it() {
        let long = "a".repeat(300);
        let wide = "漢字".repeat(60);
        let rows = vec![
            vec!["2gd4tjkox2q74mauvvu6".to_owned(), long.clone(), "x".to_owned()],
            vec!["id".to_owned(), wide, String::new()],
        ];
        for room in [0, 1, 2, 10, 22, 40, 80, 200] {
            for line in table(&["CASE", "WHO", "WHAT"], &rows, Some(room)) {
                assert!(columns(&line) <= room, "{room}: {line}");
            }
        }
        let whole = table(&["CASE", "WHO", "WHAT"], &rows, None);
        assert!(whole[1].contains(&long) && whole[1].starts_with("2gd4tjkox2q74mauvvu6  aaa"), "{whole:?}");
        let fitted = table(&["CASE", "WHO", "WHAT"], &rows, Some(80));
        assert!(fitted[1].starts_with("2gd4tjkox2q74mauvvu6  aaa") && fitted[1].contains('…'), "{fitted:?}");
    }
}
