//! Long answers, a page at a time.

use serde::Deserialize;

use crate::aws::ApiError;

/// The most that a page holds (AWS: PageSize, 1-400).
const LONGEST: u32 = 400;

/// Which page is wanted. Beside the other parameters: `#[serde(flatten)]` would make all of them text.
#[derive(Clone, Debug, Default, Deserialize)]
pub(in crate::aws) struct Page {
    /// How many at most.
    pub(in crate::aws) size: Option<u32>,
    /// Where the page before has ended.
    pub(in crate::aws) marker: Option<String>,
}

impl Page {
    /// `PageSize` and `Marker`, as they were asked for.
    pub(in crate::aws) fn of(size: Option<u32>, marker: Option<String>) -> Self {
        Self { size, marker }
    }

    /// The page, and where the next one begins.
    pub(in crate::aws) fn cut<T>(
        self,
        mut all: Vec<T>,
    ) -> Result<(Vec<T>, Option<String>), ApiError> {
        let size = self.size.unwrap_or(LONGEST);
        if !(1..=LONGEST).contains(&size) {
            let message = format!("PageSize must be 1 to {LONGEST}, not {size}");
            return Err(ApiError::Validation(message));
        }
        let begin = match self.marker {
            None => 0,
            Some(marker) => marker
                .parse::<usize>()
                .map_err(|_| ApiError::Validation(format!("'{marker}' is no marker")))?,
        };
        let mut page = all.split_off(begin.min(all.len()));
        let end = size as usize;
        let next = (page.len() > end).then(|| (begin + end).to_string());
        page.truncate(end);
        Ok((page, next))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_each_other_to_the_end() {
        let all = || (0..5).collect::<Vec<_>>();
        let page = |size, marker: Option<&str>| {
            Page::of(size, marker.map(str::to_owned))
                .cut(all())
                .unwrap()
        };
        assert_eq!(page(None, None), (all(), None));
        let (first, next) = page(Some(2), None);
        assert_eq!((first, next.as_deref()), (vec![0, 1], Some("2")));
        assert_eq!(page(Some(2), Some("4")), (vec![4], None));
        assert_eq!(page(Some(2), Some("9")), (vec![], None));
        assert!(Page::of(Some(0), None).cut(all()).is_err());
        assert!(Page::of(None, Some("x".to_owned())).cut(all()).is_err());
    }
}
