"""The contract of services that take orders from a queue, write them down and publish receipts.

To be filled in with a setting of the service, and its value; more promises may follow it.
"""

CONTRACT = """
[service]
command = "{python} {script}"
env = {{ AMQP_URL = "{{amqp_url}}", DATABASE = "{{data_dir}}/orders.db", {setting} = "{value}" }}
[broker]
kind = "rabbitmq"
[input]
queue = "orders"
message = '{{"id": "{{id}}"}}'
[output]
queues = ["receipts"]
id = "message_id"
[observe]
url = "sqlite:///{{data_dir}}/orders.db"
sql = ["SELECT * FROM orders WHERE id = '{{id}}'"]
[promises]
nothing-lost = true
effects-once = true
"""
