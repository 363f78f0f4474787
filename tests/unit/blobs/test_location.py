"""What `--blob-store` may say, and what is told of what it may not."""

import pytest

from specsync.blobs.location import Location, StorePlan, settings_for, unknown_settings


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s3://bucket", Location("s3", "bucket", "")),
        ("s3://bucket/", Location("s3", "bucket", "")),
        ("s3://bucket/one/two/", Location("s3", "bucket", "one/two")),
        ("gs://bucket/one", Location("gs", "bucket", "one")),
        ("az://container/one", Location("az", "container", "one")),
        ("file:///var/lib/specsync", Location("file", "", "/var/lib/specsync")),
    ],
)
def test_places(text: str, expected: Location) -> None:
    assert Location.parse(text) == expected
    assert str(expected) == text.rstrip("/")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "bucket",
        "http://bucket/x",
        "s3://",
        "s3:///prefix",
        "s3://bucket/../other",
        "s3://bucket/x//y",
        "file://host/x",
        "file:relative",
        "s3://key:s3cret@bucket/x",
        "s3://bucket/x?secret=s3cret",
        "s3://bucket/x#s3cret",
    ],
)
def test_what_is_no_place(text: str) -> None:
    with pytest.raises(ValueError, match="--blob-store") as error:
        Location.parse(text)
    assert "s3cret" not in str(error.value)


def test_the_first_place_is_written_and_all_are_read() -> None:
    assert StorePlan.parse([]) == StorePlan("configmap")
    assert StorePlan.parse(["configmap"]) == StorePlan("configmap")
    store = Location("s3", "b1", "")
    assert StorePlan.parse(["s3://b1"]) == StorePlan("s3", (store,))
    assert StorePlan.parse(["configmap", "s3://b1"]) == StorePlan("configmap", (store,))
    assert StorePlan.parse(["gs://b2", "s3://b1"]).writes_to == "gs"
    with pytest.raises(ValueError, match="two stores of the same kind"):
        StorePlan.parse(["s3://b1", "s3://b2"])


def test_each_kind_of_store_takes_its_own_settings() -> None:
    found = {"AWS_REGION": "r", "GOOGLE_SERVICE_ACCOUNT_KEY": "k", "AZURE_STORAGE_ACCOUNT_NAME": "a", "ca.crt": "pem"}
    assert settings_for("s3", found) == {"AWS_REGION": "r"}
    assert settings_for("az", found) == {"AZURE_STORAGE_ACCOUNT_NAME": "a"}
    assert settings_for("file", found) == {}
    assert unknown_settings(found) == []
    assert unknown_settings(found | {"password": "s3cret"}) == ["password"]
