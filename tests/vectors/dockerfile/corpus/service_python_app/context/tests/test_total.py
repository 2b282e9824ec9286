import unittest

from app import total


class TotalTest(unittest.TestCase):
    def test_of_three(self):
        self.assertEqual(total([1, 2, 3]), 6)
