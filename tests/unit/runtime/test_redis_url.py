"""The URL of a Redis is checked before anything connects, and no part of it that may be a password is repeated."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from oddsengine.common.redaction import SECRETS
from oddsengine.runtime.settings import ConfigError, parse_settings
from oddsengine.streams.clients.url import RedisAddress, parse_redis_url
from oddsengine.streams.connection import open_client

PASSWORD = "s3cret-Pa55"
#: URL -> a word of the error
WRONG = {
    "redis.example:6379": "unknown scheme",
    "http://redis.example:6379": "unknown scheme http://",
    "redis:/redis.example": "unknown scheme",
    "http+sentinel://a:26379/master/0": "unknown scheme",
    "REDIS://redis.example": "unknown scheme REDIS://",
    f"{PASSWORD}@redis.example:6379": "unknown scheme",
    "redis://": "no valid host",
    "redis://:6379": "no valid host",
    "redis://redis_/..": "its path",
    "redis://redis.example:63790000": "its port",
    "redis://redis.example:port": "its port",
    "redis://redis.example:0": "its port",
    "redis://redis.example:-1": "its port",
    "redis://redis.example/one": "its path",
    "redis://redis.example/1/2": "its path",
    "redis://redis.example/-1": "its path",
    "redis://redis.example?decode_responses=true": "unknown option 'decode_responses'",
    "redis://redis.example?db=one": "db must be a number",
    "redis://redis.example?protocol=4": "protocol must be 2 or 3",
    "redis://redis.example?ssl_ca_certs=ca.pem": "ssl_ca_certs needs rediss://",
    "rediss://redis.example?ssl_cert_reqs=maybe": "ssl_cert_reqs must be",
    "rediss://redis.example?ssl_check_hostname=": "ssl_check_hostname must be",
    "redis://redis.example?6379": "option",
    "unix://run/redis.sock": "three slashes",
    "redis+sentinel://a:26379": "names no primary",
    "redis+sentinel://a:26379/": "names no primary",
    "redis+sentinel://a:26379,/master": "no valid host",
    "redis+sentinel://a:26379,b:0/master": "its port",
    "redis+sentinel://a/master/one": "its path",
    "redis+sentinel://a/master?ssl_ca_certs=ca.pem": "ssl_ca_certs needs rediss://",
    "redis+cluster://a:7000,b:port": "its port",
    "redis+cluster://a:7000/1": "database 0",
    "redis+cluster://a:7000?db=1": "database 0",
    "redis+cluster://a:7000?sentinel_password=x": "needs redis+sentinel://",
    "rediss+cluster://a:7000?ssl_ca_path=/etc/ssl": "can't be used with a Cluster",
    "redis://a:6379,b:6379": "its port",
    f"redis+sentinel://user:{PASSWORD}/x@a:26379,b:26379/master": "%2F",
    f"redis+cluster://user:{PASSWORD}@a:7000,b:7000:{PASSWORD}": "its port",
    "unix://": "three slashes",
    f"redis://:{PASSWORD}/x@redis.example:6379": "%2F",
    f"redis://:x/{PASSWORD}@redis.example:6379": "%2F",
    f"redis://user:{PASSWORD}?x@redis.example:6379": "%3F",
    f"redis://user:{PASSWORD}#x@redis.example:6379": "%23",
    f"redis://user:{PASSWORD}[x@redis.example:6379": "%5B",
    f"redis://user:{PASSWORD} x@redis.example:6379": "%20",
    f"redis://user:{PASSWORD}\n@redis.example:6379": "control character",
    f"redis://:{PASSWORD}@redis.example:6379:{PASSWORD}": "its port",
    f"redis://redis.example?password={PASSWORD}&x=1": "unknown option 'x'",
}
RIGHT = (
    "redis://localhost",
    "redis://user:p%2Fw@redis.example:6380/3",
    "redis://:p:w@10.0.0.1",
    "redis://:p@w@redis.example",
    "redis://[::1]:6379/0",
    "rediss://redis.example?ssl_ca_certs=/etc/ca.pem&ssl_check_hostname=false",
    "unix:///run/redis.sock?db=2",
    "unix:///run/redis.sock?password=a%2Fb",
    "redis://redis.example?health_check_interval=10&client_name=odds",
)


@pytest.mark.parametrize("url", WRONG)
def test_a_wrong_url_is_named_and_nothing_of_its_password(url: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_settings("[redis]\nurl = " + repr(url).replace("'", '"') + "\n", "odds.toml", {})
    message = str(refused.value)
    assert WRONG[url] in message
    assert "odds.toml:2: redis.url: " in message
    assert not any(part in message for part in (PASSWORD, PASSWORD[:6], PASSWORD[-6:]))


@pytest.mark.parametrize("url", RIGHT)
def test_a_url_that_is_accepted_makes_a_client(url: str) -> None:
    address = parse_redis_url(url)
    if "ssl_ca_certs" not in address.options:
        assert open_client(url).connection_pool is not None


def test_every_part_of_a_url_arrives() -> None:
    """A user and a password may have any characters, once they are percent-encoded."""
    secret = " /?#[]@:%,+&=\u20ac\n"
    address = parse_redis_url(f"rediss+sentinel://{quote(secret, safe='')}:{quote(secret, safe='')}@a,[::1]:7/m%2F1/3?protocol=3")
    expected = RedisAddress(
        "sentinel",
        (("a", 26_379), ("::1", 7)),
        "",
        "m/1",
        tls=True,
        db=3,
        username=secret,
        password=secret,
        options={"protocol": 3},
    )
    assert expected == address
    assert (("a", 6379), ("b", 7)) == parse_redis_url("redis+cluster://a,b:7/0").nodes
    assert "/run/redis 1.sock" == parse_redis_url("unix:///run/redis%201.sock?db=2").path
    assert secret == parse_redis_url(f"redis://h?password={quote(secret)}").password


@pytest.mark.parametrize("url", ["redis://user:{}@redis.example", "redis://redis.example?password={}", "redis://x:{}/y@z"])
def test_its_password_is_never_logged(url: str) -> None:
    """Neither as it stands in the URL, nor as it is sent."""
    secret = f"never&logged={len(url)}"
    try:
        parse_redis_url(url.format(quote(secret)))
    except ValueError:
        secret = f"{quote(secret)}/y"
    assert "***" == SECRETS.redact(secret)
