import pytest

from openwatch.db.url import database_url, normalise, sqlalchemy_url
from openwatch.kit.errors import OpenWatchError
from openwatch.kit.settings import Settings


@pytest.mark.ac("bootstrap-07")
@pytest.mark.parametrize(
    "uri",
    [
        "postgresql://ada:p%40ss@db.example:5433/openwatch?sslmode=require",
        "postgres://ada@db.example/openwatch",
        "postgresql://openwatch@/openwatch?host=%2Frun%2Fpg",
    ],
)
def test_an_external_server_is_used_as_named(uri: str) -> None:
    settings = Settings(database_url=uri)
    assert database_url(settings) == uri
    assert sqlalchemy_url(uri).drivername == "postgresql+psycopg"


def test_the_key_value_form_becomes_a_uri() -> None:
    uri = normalise("host=db.example port=5433 user=ada password='p@ss word' dbname=openwatch")
    url = sqlalchemy_url(uri)
    assert (url.username, url.password, url.database) == ("ada", "p@ss word", "openwatch")
    assert dict(url.query) == {"host": "db.example", "port": "5433"}


@pytest.mark.parametrize(
    "uri", ["", "nonsense", "mysql://u:hunter2@db/x", "postgresql://u:hunter2@db", "postgresql://["]
)
def test_what_is_no_address_is_refused_without_quoting_it(uri: str) -> None:
    with pytest.raises(OpenWatchError) as caught:
        normalise(uri)
    assert caught.value.code == "db.url_invalid"
    assert "hunter2" not in caught.value.message
