"""Accounts and what they may: roles, members, links that let somebody in."""
