//! Which of the known words was probably meant.

/// The known word nearest to `word`, if one is near enough to be what was meant.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let distance = |known: &str| strsim::damerau_levenshtein(&word, &known.to_lowercase());
    // Two slips in a word of six letters, one in three; swapped words ("timeout_idle") are far.
    // Names of one letter have nothing in common but by being the same.
    let near = |&(slips, known): &(usize, &str)| {
        let length = known.chars().count();
        slips < length && slips <= length.div_ceil(3).min(3)
    };
    known
        .into_iter()
        .map(|known| (distance(known), known))
        .filter(near)
        .min_by_key(|&(slips, _)| slips)
        .map(|(_, known)| known)
}

/// The words in quotes, the nearest one to `word` first, for a sentence that lists them.
pub(super) fn listed<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 12;
    let mut known: Vec<&str> = known.into_iter().collect();
    let word = word.to_lowercase();
    known.sort_by_key(|known| strsim::damerau_levenshtein(&word, &known.to_lowercase()));
    let more = known.len().saturating_sub(SHOWN);
    known.truncate(SHOWN);
    let words: Vec<String> = known.iter().map(|known| format!("`{known}`")).collect();
    match more {
        0 => words.join(", "),
        more => format!("{} and {more} more", words.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 4] = ["interval", "timeout", "path", "HTTP"];

    #[test]
    fn a_slip_is_recognised() {
        assert_eq!(nearest("intervall", KNOWN), Some("interval"));
        assert_eq!(nearest("tmieout", KNOWN), Some("timeout"));
        assert_eq!(nearest("http", KNOWN), Some("HTTP"));
        assert_eq!(nearest("pth", KNOWN), Some("path"));
    }

    #[test]
    fn another_word_is_not() {
        assert_eq!(nearest("weight", KNOWN), None);
        assert_eq!(nearest("", KNOWN), None);
        assert_eq!(nearest("b", ["a", "c"]), None);
    }

    #[test]
    fn a_list_begins_with_the_nearest_and_is_not_endless() {
        assert!(listed("paths", KNOWN).starts_with("`path`, "));
        let many: Vec<String> = (0..50).map(|number| format!("group-{number}")).collect();
        assert!(listed("x", many.iter().map(String::as_str)).ends_with("and 38 more"));
    }
}
