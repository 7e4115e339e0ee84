# Interpreter workload of the benchmark: objects, dictionaries, strings, integers, a sort, closures.
class Account:
    def __init__(self, name):
        self.name = name
        self.total = 0

    def add(self, amount):
        self.total += amount
        return self


def sieve(limit):
    marks = bytearray([1]) * limit
    for candidate in range(2, int(limit ** 0.5) + 1):
        if marks[candidate]:
            marks[candidate * candidate :: candidate] = bytes(len(marks[candidate * candidate :: candidate]))
    return sum(marks) - 2


def fibonacci(n):
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)


state = 12345
accounts = {}
for step in range(150000):
    state = (state * 1103515245 + 12345) & 0x7FFFFFFF
    name = "account%d" % (state >> 16 & 1023)
    if name not in accounts:
        accounts[name] = Account(name)
    accounts[name].add(state % 1000)
ranking = sorted(accounts.values(), key=lambda account: (-account.total, account.name))
words = " ".join("%s=%d" % (account.name, account.total) for account in ranking).split()
print(sieve(300000), fibonacci(22), len(words), ranking[0].name, sum(len(set(word)) for word in words))
