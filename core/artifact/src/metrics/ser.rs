//! Serialises to a JSON value like `serde_json`, but keeps numbers that are not finite, as strings.

use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};
use serde_json::{Map, Value, value};

type Error = serde_json::Error;
type Result<T = Value> = std::result::Result<T, Error>;

pub(super) fn to_value<T: Serialize + ?Sized>(value: &T) -> Result {
    value.serialize(ToValue)
}

struct ToValue;

/// A list being built; with a name when it is the content of an enum's variant.
struct Items(Vec<Value>, Option<&'static str>);

/// A group being built; with a name when it is the content of an enum's variant.
struct Members(Map<String, Value>, Option<String>, Option<&'static str>);

fn named(name: Option<&'static str>, value: Value) -> Value {
    match name {
        Some(name) => Value::Object(Map::from_iter([(name.to_owned(), value)])),
        None => value,
    }
}

macro_rules! as_serde_json {
    ($($method:ident: $type:ty),* $(,)?) => {$(
        fn $method(self, v: $type) -> Result {
            value::Serializer.$method(v)
        }
    )*};
}

impl Serializer for ToValue {
    type Ok = Value;
    type Error = Error;
    type SerializeSeq = Items;
    type SerializeTuple = Items;
    type SerializeTupleStruct = Items;
    type SerializeTupleVariant = Items;
    type SerializeMap = Members;
    type SerializeStruct = Members;
    type SerializeStructVariant = Members;

    as_serde_json! {
        serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_char: char,
        serialize_str: &str, serialize_bytes: &[u8], serialize_unit_struct: &'static str,
    }

    fn serialize_f32(self, v: f32) -> Result {
        if v.is_finite() { value::Serializer.serialize_f32(v) } else { self.serialize_f64(f64::from(v)) }
    }

    fn serialize_f64(self, v: f64) -> Result {
        Ok(match v {
            v if v.is_nan() => "NaN".into(),
            f64::INFINITY => "Infinity".into(),
            f64::NEG_INFINITY => "-Infinity".into(),
            v => v.into(),
        })
    }

    fn serialize_none(self) -> Result {
        Ok(Value::Null)
    }

    fn serialize_unit(self) -> Result {
        Ok(Value::Null)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result {
        to_value(value)
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result {
        Ok(variant.into())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result {
        to_value(value)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result {
        Ok(named(Some(variant), to_value(value)?))
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Items> {
        Ok(Items(Vec::new(), None))
    }

    fn serialize_tuple(self, _: usize) -> Result<Items> {
        Ok(Items(Vec::new(), None))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Items> {
        Ok(Items(Vec::new(), None))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Items> {
        Ok(Items(Vec::new(), Some(variant)))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Members> {
        Ok(Members(Map::new(), None, None))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Members> {
        Ok(Members(Map::new(), None, None))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Members> {
        Ok(Members(Map::new(), None, Some(variant)))
    }
}

macro_rules! items {
    ($($trait:ident :: $method:ident),*) => {$(
        impl $trait for Items {
            type Ok = Value;
            type Error = Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
                self.0.push(to_value(value)?);
                Ok(())
            }

            fn end(self) -> Result {
                Ok(named(self.1, Value::Array(self.0)))
            }
        }
    )*};
}

items!(
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field
);

macro_rules! members {
    ($($trait:ident),*) => {$(
        impl $trait for Members {
            type Ok = Value;
            type Error = Error;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<()> {
                self.0.insert(key.to_owned(), to_value(value)?);
                Ok(())
            }

            fn end(self) -> Result {
                Ok(named(self.2, Value::Object(self.0)))
            }
        }
    )*};
}

members!(SerializeStruct, SerializeStructVariant);

impl SerializeMap for Members {
    type Ok = Value;
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<()> {
        // Numbers and flags become texts, as in any JSON object.
        self.1 = Some(match value::to_value(key)? {
            Value::String(text) => text,
            other => other.to_string(),
        });
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        let key = self.1.take().unwrap_or_default();
        self.0.insert(key, to_value(value)?);
        Ok(())
    }

    fn end(self) -> Result {
        Ok(named(self.2, Value::Object(self.0)))
    }
}
