"""Tests in several processes, forked once all tests are collected: that takes as long as hundreds of them."""
