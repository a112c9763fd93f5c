"""Addresses of issuing and of batches."""

from django.urls import path

from referral_rocket.dashboard.batches import asking, issue, pages, queue

batches = [
    path("rewards/issue/", issue.issue, name="issue"),
    path("rewards/batches/", pages.batch_list, name="batches"),
    path("rewards/batches/<uuid:batch_id>/", pages.batch, name="batch"),
    path("rewards/batches/<uuid:batch_id>/progress/", pages.batch_progress, name="batch_progress"),
    path("rewards/batches/<uuid:batch_id>/items/<uuid:item_id>/queue/", queue.item_queue, name="item_queue"),
    path("rewards/batches/<uuid:batch_id>/queue/", queue.batch_queue, name="batch_queue"),
    path("rewards/batches/<uuid:batch_id>/ask/", asking.ask, name="batch_ask"),
    path("rewards/batches/<uuid:batch_id>/approve/", pages.batch_agree, name="batch_approve"),
    path("rewards/batches/<uuid:batch_id>/file/", pages.batch_download, name="batch_file"),
    path("rewards/batches/<uuid:batch_id>/results/", pages.batch_upload, name="batch_results"),
    path("rewards/batches/<uuid:batch_id>/cancel/", pages.batch_stop, name="batch_stop"),
]
