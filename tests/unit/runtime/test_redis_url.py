"""The URL of a Redis is checked before anything connects, and no part of it that may be a password is repeated."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from redis.asyncio import Redis

from oddsengine.common.redaction import SECRETS
from oddsengine.runtime.settings import ConfigError, parse_settings
from oddsengine.runtime.settings.redis_url import check_redis_url

PASSWORD = "s3cret-Pa55"
#: URL -> a word of the error
WRONG = {
    "redis.example:6379": "unknown scheme",
    "http://redis.example:6379": "unknown scheme http://",
    "redis:/redis.example": "unknown scheme",
    "redis+sentinel://a:26379/master/0": "unknown scheme",
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
    check_redis_url(url)
    assert Redis.from_url(url).connection_pool is not None


@pytest.mark.parametrize("url", ["redis://user:{}@redis.example", "redis://redis.example?password={}", "redis://x:{}/y@z"])
def test_its_password_is_never_logged(url: str) -> None:
    """Neither as it stands in the URL, nor as it is sent."""
    secret = f"never&logged={len(url)}"
    try:
        check_redis_url(url.format(quote(secret)))
    except ValueError:
        secret = f"{quote(secret)}/y"
    assert "***" == SECRETS.redact(secret)
