"""What an application does with redis-py, against the proxy at sys.argv[1] (host:port). Prints a line for each part; fails at the first surprise."""

import os
import sys
import threading
import time

import redis

host, port = sys.argv[1].rsplit(":", 1)


def connect(protocol):
    return redis.Redis(host, int(port), protocol=protocol, socket_timeout=20)


def same(found, expected):
    if found != expected:
        raise AssertionError(f"{found!r} instead of {expected!r}")


def raises(error, text, action):
    try:
        action()
    except error as caught:
        if text not in str(caught):
            raise AssertionError(f"{caught} does not say {text}") from caught
        return
    raise AssertionError(f"no {error.__name__}")


def strings(r, p):
    same(r.set(f"{p}a", "1", ex=100), True)
    same(r.set(f"{p}a", "2", nx=True), None)
    same(r.get(f"{p}a"), b"1")
    assert 90 < r.ttl(f"{p}a") <= 100
    same(r.incrby(f"{p}n", 5), 5)
    same(r.mset({f"{p}k{i}": i for i in range(50)}), True)
    same(r.mget([f"{p}k{i}" for i in range(50)] + [f"{p}none"]), [b"%d" % i for i in range(50)] + [None])
    same(r.exists(*[f"{p}k{i}" for i in range(50)]), 50)
    same(r.delete(*[f"{p}k{i}" for i in range(10)]), 10)
    binary = bytes(range(256))
    same(r.set(b"\0\r\n" + binary, binary), True)
    same(r.get(b"\0\r\n" + binary), binary)
    large = os.urandom(1024 * 1024)
    same(r.set(f"{p}large", large), True)
    same(r.get(f"{p}large"), large)


def collections(r, p):
    same(r.hset(f"{p}h", mapping={"f": "1", "g": "2"}), 2)
    same(r.hgetall(f"{p}h"), {b"f": b"1", b"g": b"2"})
    same(r.rpush(f"{p}l", "a", "b", "c"), 3)
    same(r.lrange(f"{p}l", 0, -1), [b"a", b"b", b"c"])
    same(r.sadd(f"{p}s", "x", "y"), 2)
    same(r.smembers(f"{p}s"), {b"x", b"y"})
    same(r.zadd(f"{p}z", {"one": 1, "two": 2.5}), 2)
    found = r.zrange(f"{p}z", 0, -1, withscores=True)
    same([(name, score) for name, score in found], [(b"one", 1.0), (b"two", 2.5)])
    raises(redis.ResponseError, "WRONGTYPE", lambda: r.hget(f"{p}l", "f"))


def pipelines(r, p):
    pipe = r.pipeline(transaction=False)
    for i in range(500):
        pipe.set(f"{p}p{i}", i)
        pipe.get(f"{p}p{i}")
    same(pipe.execute(), [part for i in range(500) for part in (True, b"%d" % i)])


def transactions(r, p):
    pipe = r.pipeline()
    pipe.set(f"{{{p}t}}a", "1").incr(f"{{{p}t}}a").rpush(f"{{{p}t}}b", "x")
    same(pipe.execute(), [True, 2, 1])
    with r.pipeline() as pipe:
        pipe.watch(f"{{{p}t}}a")
        same(pipe.get(f"{{{p}t}}a"), b"2")
        pipe.multi()
        pipe.set(f"{{{p}t}}a", "3")
        same(pipe.execute(), [True])
    with r.pipeline() as pipe:
        pipe.watch(f"{{{p}t}}a")
        r.set(f"{{{p}t}}a", "4")
        pipe.multi()
        pipe.set(f"{{{p}t}}a", "5")
        raises(redis.WatchError, "", pipe.execute)
    same(r.get(f"{{{p}t}}a"), b"4")


def scans(r, p):
    found = sorted(r.scan_iter(match=f"{p}p*", count=20))
    same(found, sorted(b"%sp%d" % (p.encode(), i) for i in range(500)))


def blocking(r, p):
    pusher = threading.Timer(0.2, lambda: connect(2).rpush(f"{p}queue", "job"))
    pusher.start()
    same(tuple(r.blpop([f"{p}queue"], timeout=15)), (f"{p}queue".encode(), b"job"))
    pusher.join()
    same(r.blpop([f"{p}queue"], timeout=0.1), None)


def messages(r, p):
    with r.pubsub() as subscriber:
        subscriber.subscribe(f"{p}news")
        subscriber.psubscribe(f"{p}n*")
        for _ in range(2):
            while subscriber.get_message(timeout=10) is None:
                pass
        assert r.publish(f"{p}news", "hello") >= 1
        kinds = {}
        end = time.monotonic() + 15
        while len(kinds) < 2 and time.monotonic() < end:
            message = subscriber.get_message(timeout=1)
            if message is not None:
                kinds[message["type"]] = message["data"]
        same(kinds, {"message": b"hello", "pmessage": b"hello"})


for protocol in (2, 3):
    client = connect(protocol)
    same(client.ping(), True)
    for part in (strings, collections, pipelines, transactions, scans, blocking, messages):
        part(client, f"py{protocol}:")
        print(f"RESP{protocol} {part.__name__}")
