"""Chaos as a command: real servers, real clients, thieves, and faults from a seed.

``make chaos`` runs ``python -m tests.chaos``. Everything is private to the run: two app servers, a PostgreSQL
with a replica, a Redis, and proxies between all of them. The lifetimes are short, so that an hour shows what
happens in half a day.

``tempo``     the short lifetimes, and the bounds that follow from them
``plan``      the sequence of faults that belongs to a seed
``proxy``     a link that can be cut, held, slow, or lose answers
``services``  PostgreSQL, its replica, Redis and the app servers
``clocks``    a clock of its own for each app server
``wire``      HTTP for clients that give up
``clients``   clients with three tabs that follow the documented rules, and logouts
``thieves``   thieves with the strategies of the model
``records``   the history of each session and of each fault
``verdict``   the bounds, and the breaches of them
``table``     the result for people
``round``     one run against one store of revocations
``project``   the settings and the URLs of the app servers
"""
