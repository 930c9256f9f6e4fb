"""Types of arguments, for argparse: what they refuse, they say with what was expected (exit code 2)."""
import argparse
import re

BROKERS = r'[^:,\s]+:\d{1,5}', 'HOST:PORT'


def number(low, high):
    def parse(text):
        if not re.fullmatch(r'\d{1,9}', text) or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f'"{text}": expected {low} to {high}')
        return int(text)
    return parse


def words(pattern, expected):
    """Words of this pattern, separated by commas."""
    def parse(text):
        found = [word for word in text.split(',') if word]
        for word in found:
            if not re.fullmatch(pattern, word):
                raise argparse.ArgumentTypeError(f'"{word}": expected {expected}')
        return found
    return parse
