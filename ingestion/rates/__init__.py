"""How much each write key and each address may send.

Every collector keeps a token bucket of its own for each, so that no request waits for anybody. Ten times a second
Valkey is told what was spent and says what all collectors together have left: that is the rate that they share. While
Valkey is away, each collector goes on with what it knows, and so lets the whole rate pass.
"""
