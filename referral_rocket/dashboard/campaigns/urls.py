"""Addresses of the section."""

from django.urls import URLPattern

campaigns: list[URLPattern] = []
