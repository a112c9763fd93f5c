"""Addresses of the section."""

from django.urls import URLPattern

rewards: list[URLPattern] = []
