"""Addresses of the section."""

from django.urls import URLPattern

batches: list[URLPattern] = []
