//! `data/write`.

use flow_plugin::artifact::export::{
    copy, write_columns_csv, write_columns_parquet, write_netcdf, write_npy, write_npz,
};
use flow_plugin::schemars::{self, JsonSchema};
use flow_plugin::serde::{Deserialize, Serialize};
use flow_plugin::{Context, Kind, Operation, Port, Result, Spec};

use super::open;

/// Writes files for other programs.
pub(crate) struct Write;

/// Parameters of `data/write`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(crate = "flow_plugin::serde", deny_unknown_fields)]
pub(crate) struct WriteParams {
    /// The form to write.
    format: Format,
}

/// A form of files.
#[derive(Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(crate = "flow_plugin::serde", rename_all = "lowercase")]
pub(crate) enum Format {
    /// One NetCDF file, of the classic format.
    Netcdf,
    /// One archive of NumPy arrays.
    Npz,
    /// A folder of NumPy arrays, a file each.
    Npy,
    /// A Zarr v3 folder.
    Zarr,
    /// A table as text: variables along one dimension.
    Csv,
    /// A table: variables along one dimension.
    Parquet,
}

impl Format {
    fn is_folder(self) -> bool {
        matches!(self, Self::Npy | Self::Zarr)
    }
}

impl Operation for Write {
    type Params = WriteParams;

    fn spec(&self) -> Spec {
        Spec::new("write", 1, "Writes a dataset as NetCDF, npz, npy, Zarr, CSV or Parquet.")
            .doc(
                "With `publish: { file: results/data.nc }`, or `folder` for npy and Zarr, the files appear where you \
                 want them. CSV and Parquet hold variables along one dimension, one column each: choose them with \
                 `data/select`.",
            )
            .input(Port::new("data", Kind::Dataset, "The dataset."))
            .output(Port::new("file", Kind::File, "What was written: NetCDF, npz, CSV and Parquet."))
            .output(Port::new("folder", Kind::Folder, "What was written: npy and Zarr."))
    }

    fn outputs(&self, params: &WriteParams, _: &[Port]) -> Vec<Port> {
        let kind = if params.format.is_folder() { Kind::Folder } else { Kind::File };
        self.spec().outputs.into_iter().filter(|port| port.kind == kind).collect()
    }

    fn run(&self, params: WriteParams, context: &Context) -> Result<()> {
        let data = open(context, "data")?;
        let to = context.output(if params.format.is_folder() { "folder" } else { "file" })?;
        match params.format {
            Format::Netcdf => write_netcdf(&data, to)?,
            Format::Npz => write_npz(&data, to)?,
            Format::Npy => write_npy(&data, to)?,
            Format::Zarr => copy(data.path(), to)?,
            Format::Csv => write_columns_csv(&data, to)?,
            Format::Parquet => write_columns_parquet(&data, to)?,
        }
        Ok(())
    }
}
