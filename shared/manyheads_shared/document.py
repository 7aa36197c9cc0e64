"""Documents: frozen, versioned values with one canonical JSON form. Every signed or digest-named JSON file is one.

A document's first field is `format`, `NAME/MAJOR`. Unknown majors and unknown fields are refused: whoever adds a field
raises the major version, and readers keep reading the old one (docs/formats/README.md).
"""

from typing import Annotated, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from manyheads_shared.canonical import MAX_DOCUMENT_BYTES, from_canonical, to_canonical
from manyheads_shared.digest import Digest, digest_bytes
from manyheads_shared.errors import ManifestError, UnsupportedVersionError

MAX_INTEGER = 2**53 - 1  # RFC 8785: beyond it a JSON number is not one integer

Count = Annotated[int, Field(ge=0, le=MAX_INTEGER)]
Ordinal = Annotated[int, Field(ge=1, le=MAX_INTEGER)]  # 1, 2, 3 …
Fraction = Annotated[float, Field(ge=0, le=1)]


class Value(BaseModel):
    """A frozen part of a document: no unknown fields, no silent conversion, no NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Document(Value):
    """A value with a name, a version and one canonical form."""

    FORMAT: ClassVar[str]  # "manyheads.head/1"
    MAX_BYTES: ClassVar[int] = MAX_DOCUMENT_BYTES

    format: str

    @classmethod
    def new(cls, **fields: Any) -> Self:
        """Build a document of the newest version.

        Raises:
            ManifestError: a field is missing, unknown or of the wrong type.
        """
        try:
            return cls(format=cls.FORMAT, **fields)
        except ValidationError as error:
            raise ManifestError(f"{cls.FORMAT}: {explain(error)}") from error

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read a document from its exact bytes.

        The plan: (1) canonical JSON within the size limit; (2) an object with a `format`; (3) the expected format name;
        (4) a known major version; (5) exactly the declared fields.

        Raises:
            ManifestError: steps 1, 2, 3 or 5 fail.
            UnsupportedVersionError: step 4 fails.
        """
        name, _, version = cls.FORMAT.partition("/")
        # step 1
        value = from_canonical(data, name=name, max_bytes=cls.MAX_BYTES)
        # step 2
        if not isinstance(value, dict) or not isinstance(value.get("format"), str):
            raise ManifestError(f"{name}: expected a JSON object with a field `format`, got {str(value)[:60]!r}")
        # step 3
        found_name, _, found_version = value["format"].partition("/")
        if found_name != name:
            raise ManifestError(f"expected a {name} document, got a {found_name[:60]!r}")
        # step 4
        if found_version != version:
            raise UnsupportedVersionError(
                f"{name}: this software reads version {version}, the document is version {found_version[:20]!r}. "
                "Update manyheads, or ask for a document of the older version."
            )
        # step 5
        try:
            return cls.model_validate_json(data)
        except ValidationError as error:
            raise ManifestError(f"{cls.FORMAT}: {explain(error)}") from error

    def to_bytes(self) -> bytes:
        """Return the canonical form: the bytes that digests and signatures cover."""
        return to_canonical(self.model_dump(mode="json"))

    @property
    def digest(self) -> Digest:
        """The digest of the canonical form."""
        return digest_bytes(self.to_bytes())


def explain(error: ValidationError) -> str:
    """Name the first three offending fields in words."""
    problems = [f"{'.'.join(str(part) for part in item['loc']) or 'document'}: {item['msg']}" for item in error.errors()[:3]]
    more = error.error_count() - len(problems)
    return "; ".join(problems) + (f"; and {more} more" if more > 0 else "")
