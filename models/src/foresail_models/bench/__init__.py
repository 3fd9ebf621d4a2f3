"""Benches of training: for people, on any machine; nothing here fails a build."""
