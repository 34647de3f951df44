"""A WebSocket client over HTTP/2 (RFC 8441): h2 makes the frames of HTTP/2, websockets those of WebSocket.
The file of the certificate to trust is its argument."""

import os
import socket
import ssl
import sys

import h2.connection
import h2.events
from h2.settings import SettingCodes
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

NAME = "www.example.org"


class Client:
    def __init__(self, authority_file):
        context = ssl.create_default_context(cafile=authority_file)
        context.set_alpn_protocols(["h2"])
        connection = socket.create_connection(("192.168.0.101", 443), timeout=30)
        self.socket = context.wrap_socket(connection, server_hostname=NAME)
        assert self.socket.selected_alpn_protocol() == "h2"
        self.http = h2.connection.H2Connection()
        self.http.initiate_connection()
        self.octets = StreamReader()
        self.events = []
        self.flush()

    def flush(self):
        self.socket.sendall(self.http.data_to_send())

    def receive(self):
        """Takes in what has come, and keeps all events but those of octets of the tunnel."""
        received = self.socket.recv(65536)
        assert received, "the connection ended"
        for event in self.http.receive_data(received):
            if isinstance(event, h2.events.DataReceived):
                self.octets.feed_data(event.data)
                self.http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            else:
                self.events.append(event)
        self.flush()

    def wait_for(self, kind, stream=None):
        while True:
            for event in self.events:
                if isinstance(event, kind) and (stream is None or event.stream_id == stream):
                    self.events.remove(event)
                    return event
            self.receive()

    def request(self, stream, method, path, *more, end):
        fields = [(":method", method), (":scheme", "https"), (":authority", NAME), (":path", path)]
        self.http.send_headers(stream, fields + list(more), end_stream=end)
        self.flush()
        return dict(self.wait_for(h2.events.ResponseReceived, stream).headers)

    def send_frame(self, opcode, content):
        rest = Frame(opcode, content).serialize(mask=True)
        while rest:
            room = min(self.http.local_flow_control_window(1), self.http.max_outbound_frame_size)
            if room == 0:
                self.receive()
                continue
            self.http.send_data(1, rest[:room])
            self.flush()
            rest = rest[room:]

    def receive_frame(self):
        parser = Frame.parse(self.octets.read_exact, mask=False)
        while True:
            try:
                next(parser)
            except StopIteration as complete:
                return complete.value
            self.receive()


client = Client(sys.argv[1])
settings = client.wait_for(h2.events.RemoteSettingsChanged).changed_settings
assert settings[SettingCodes.ENABLE_CONNECT_PROTOCOL].new_value == 1
status = client.request(
    1, "CONNECT", "/echo", (":protocol", "websocket"), ("sec-websocket-version", "13"), end=False
)
assert status[b":status"] == b"200", status

for opcode, content in [
    (Opcode.TEXT, b"hello"),
    (Opcode.BINARY, os.urandom(1 << 20)),
    (Opcode.TEXT, b""),
]:
    client.send_frame(opcode, content)
    frame = client.receive_frame()
    assert (frame.opcode, frame.data) == (opcode, content)

# Another request goes beside it on the same connection.
assert client.request(3, "GET", "/say", end=True)[b":status"] == b"200"
client.wait_for(h2.events.StreamEnded, 3)

client.send_frame(Opcode.PING, b"there?")
frame = client.receive_frame()
assert (frame.opcode, frame.data) == (Opcode.PONG, b"there?")

client.send_frame(Opcode.CLOSE, (4000).to_bytes(2, "big") + b"enough")
frame = client.receive_frame()
assert (frame.opcode, frame.data[:2]) == (Opcode.CLOSE, (4000).to_bytes(2, "big"))
client.wait_for(h2.events.StreamEnded, 1)
print("all came back")
