"""The threads that read from the database for all requests, and what becomes of them when it hangs.

- connections: their connections, whose drivers give up when the database hangs
- crews: the threads, and the turns that they take
- readers: rows that a request needs
"""
