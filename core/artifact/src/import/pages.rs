//! Pages of a column of Parquet, unpacked here: so that what a page says of its size cannot fill the memory, and gzip
//! and zstd are those that the other forms use.

use std::fs::File;
use std::sync::Arc;

use parquet::basic::{Compression, Encoding};
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::serialized_reader::SerializedPageReader;

use super::codec::{Codec, unpack};

/// A page has at most so many bytes. Programs write about one MiB.
const LARGEST_PAGE: usize = 1 << 30;

/// Hands over the pages of a part of a column.
pub(super) struct Pages {
    packed: SerializedPageReader<File>,
    codec: Option<Codec>,
    limit: usize,
    /// A page with the values of a dictionary has come.
    dictionary: bool,
}

/// How the pages of this part of a column are packed; if that is not read, its name.
pub(super) fn codec(column: &ColumnChunkMetaData) -> Result<Option<Codec>, String> {
    match column.compression() {
        Compression::UNCOMPRESSED => Ok(None),
        Compression::SNAPPY => Ok(Some(Codec::Snappy)),
        Compression::GZIP(_) => Ok(Some(Codec::Gzip)),
        Compression::ZSTD(_) => Ok(Some(Codec::Zstd)),
        other => Err(other.to_string().split('(').next().unwrap_or_default().to_lowercase()),
    }
}

impl Pages {
    pub(super) fn new(file: Arc<File>, column: &ColumnChunkMetaData, rows: usize) -> Result<Self> {
        let codec = codec(column).map_err(ParquetError::General)?;
        let limit = usize::try_from(column.uncompressed_size()).unwrap_or(0).min(LARGEST_PAGE);
        let as_stored = column.clone().into_builder().set_compression(Compression::UNCOMPRESSED).build()?;
        let packed = SerializedPageReader::new(file, &as_stored, rows, None)?;
        Ok(Self { packed, codec, limit, dictionary: false })
    }
}

impl PageReader for Pages {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let Some(mut page) = self.packed.get_next_page()? else { return Ok(None) };
        match page.encoding() {
            _ if matches!(page, Page::DictionaryPage { .. }) => self.dictionary = true,
            // The decoder takes it for certain that there is one.
            Encoding::PLAIN_DICTIONARY | Encoding::RLE_DICTIONARY if !self.dictionary => {
                return Err(ParquetError::General(
                    "a page refers to a dictionary that is not there".to_owned(),
                ));
            }
            _ => {}
        }
        let Some(codec) = self.codec else { return Ok(Some(page)) };
        if matches!(page, Page::DataPageV2 { is_compressed: false, .. }) {
            return Ok(Some(page));
        }
        // Levels stand before the values, and are not packed, in pages of the second version.
        let levels = match &page {
            Page::DataPageV2 { def_levels_byte_len, rep_levels_byte_len, .. } => {
                (*def_levels_byte_len as usize).saturating_add(*rep_levels_byte_len as usize)
            }
            _ => 0,
        };
        let (Page::DataPage { buf, .. } | Page::DataPageV2 { buf, .. } | Page::DictionaryPage { buf, .. }) =
            &mut page;
        let cut = || ParquetError::General("a page is cut short".to_owned());
        let (levels, values) = buf.split_at_checked(levels).ok_or_else(cut)?;
        // A page without any value has none that could be unpacked.
        if !values.is_empty() {
            let mut whole = levels.to_vec();
            whole.extend(unpack(codec, values, self.limit)?);
            *buf = whole.into();
        }
        Ok(Some(page))
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.packed.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.packed.skip_next_page()
    }
}

impl Iterator for Pages {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}
