"""Hosts librdkafka's mock cluster until it is killed, and prints where its brokers listen."""

import sys

from confluent_kafka import Producer

BROKERS = int(sys.argv[1])

host = Producer({"test.mock.num.brokers": BROKERS, "bootstrap.servers": "ignored:1"})
metadata = host.list_topics(timeout=10)
listening = [f"{broker.host}:{broker.port}" for broker in metadata.brokers.values()]
print("brokers=" + ",".join(listening), flush=True)
while True:
    host.poll(60)
