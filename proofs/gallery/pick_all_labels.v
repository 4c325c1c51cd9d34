(** Written by `ufm certify --format rocq`; checked by proofs/theory.

    The multi-label model with the pick-all-labels loss: K = 3, N = 9, d = 4.
    [lower_bound] is about every point of every dimension, [upper_bound] about the
    point below, [certified_gap] says how far above the global minimum that is. *)
Require Import ZArith QArith.
From mathcomp Require Import all_ssreflect all_algebra.
From UFM Require Import CollapseIdentity Labels Exponential Softmax CrossEntropy.
From UFM Require Import CertificateNumbers CertificateChecker CertificatePoint.
From UFM Require Import CertificateMse CertificateSoftmax CertificateClaims.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Delimit Scope Z_scope with binZ.
Delimit Scope Q_scope with binQ.

Local Open Scope Z_scope.
Definition sizes : seq Z := [:: 2; 2; 2; 1; 1; 1].
Definition lambda_W : Q := (1 # 50)%binQ.
Definition lambda_H : Q := (1 # 100)%binQ.
Definition tags : seq (seq Z) := [:: [:: 0x1; 0x0; 0x0; 0x1; 0x1; 0x0];
  [:: 0x0; 0x1; 0x0; 0x1; 0x0; 0x1];
  [:: 0x0; 0x0; 0x1; 0x0; 0x1; 0x1]].
Definition masses : seq Z := [:: 1; 1; 1; 2; 2; 2].
Definition the_problem : problem :=
  tags_problem 3 6 sizes tags lambda_W lambda_H FreeBiasN.
Definition the_dual : dual := Dual 0x10000000000000000000000 0x425aee631f8a0902de00d1b71758e219652bd3c3611
 [:: [:: -0xd2122abd148306f6f0000; 0x6909155e8a41877b78000; 0x6909155e8a41cb7b78000; -0x5a306c78e98272e7c8000; -0x5a306c78e9832ae7c8000; 0xb460d8f1d30505cf90000];
  [:: 0x6909155e8a41617b78000; -0xd2122abd1482d6f6f0000; 0x6909155e8a41c37b78000; -0x5a306c78e9826ae7c8000; 0xb460d8f1d304edcf90000; -0x5a306c78e9831ee7c8000];
  [:: 0x6909155e8a41a57b78000; 0x6909155e8a414f7b78000; -0xd2122abd14838ef6f0000; 0xb460d8f1d304ddcf90000; -0x5a306c78e981c2e7c8000; -0x5a306c78e981e6e7c8000]]
 [:: [:: 0x12cfe48e1d3ea0e89718ee; 0x0; 0x0];
  [:: 0x12cfe48e1d3e72e6316670; 0x2cdb082b91181d8c; 0x0];
  [:: 0x12cfe48e1d3e7ba3ad3119; 0xd0844a43418ecc8; 0x24ba4804ac7bf647]].
Definition the_point : point := Point 4 0x10000000000000
 [:: [:: 0x1740c9ae8af3ec; 0xd6cd7f9732914; 0x0; 0x0];
  [:: -0x1740c9ae8af3ec; 0xd6cd7f9732914; 0x0; 0x0];
  [:: 0x0; -0x1ad9aff2e65228; 0x0; 0x0]]
 [:: [:: 0x13e0545fe1202c; 0xb79bf9ae6c8e3; 0x0; 0x0];
  [:: -0x13e0545fe1202c; 0xb79bf9ae6c8e3; 0x0; 0x0];
  [:: 0x0; -0x16f37f35cd91c5; 0x0; 0x0];
  [:: 0x0; 0x13b5051ae1d399; 0x0; 0x0];
  [:: 0x11111d8cf1ab71; -0x9da828d70e9cd; 0x0; 0x0];
  [:: -0x11111d8cf1ab71; -0x9da828d70e9cd; 0x0; 0x0]]
 [:: 0x0; 0x0; 0x0].
Definition lower : Q := (0x572b5ee6493e62a76f385bb33d # 0x80000000000000000000000000)%binQ.
Definition upper : Q := (0x572b5ee6493e6ca8411c06604f1 # 0x800000000000000000000000000)%binQ.
Definition gap : Q := (0xa00d1e3aaad121 # 0x800000000000000000000000000)%binQ.
Definition digits : precision := Precision 84 84.
Definition logs : seq (Z * Z * Z) := [:: (1, 0x6909155e8a414f7b78000, -0x3a9d9090d6b8035ddde816);
  (1, 0x6909155e8a41617b78000, -0x3a9d9090d6b8009feebea4);
  (1, 0x6909155e8a41877b78000, -0x3a9d9090d6b7fad6124ab4);
  (1, 0x6909155e8a41a57b78000, -0x3a9d9090d6b7f6442e5af6);
  (1, 0x6909155e8a41c37b78000, -0x3a9d9090d6b7f1b24a6b38);
  (1, 0x6909155e8a41cb7b78000, -0x3a9d9090d6b7f07a51e706);
  (1, 0xf2dedd542eb7c710910000, -0xd7a64440229e0da5b34b);
  (1, 0xf2dedd542eb7cf90910000, -0xd7a64440229d7e4b918c);
  (1, 0xf2dedd542eb7d290910000, -0xd7a64440229d4bb34966);
  (2, 0xb460d8f1d304ddcf90000, -0x3d0dc00be919490468dae4);
  (2, 0xb460d8f1d304edcf90000, -0x3d0dc00be9194799159560);
  (2, 0xb460d8f1d30505cf90000, -0x3d0dc00be919457818ad1b);
  (2, 0xfa5cf9387167cd51838000, -0xb7253e7e797716ec851c5);
  (2, 0xfa5cf9387167ce11838000, -0xb7253e7e7977162832795);
  (2, 0xfa5cf9387167d8d1838000, -0xb7253e7e79770b2a3cae5);
  (2, 0xfa5cf9387167d951838000, -0xb7253e7e79770aa75aec5);
  (2, 0xfa5cf9387167e191838000, -0xb7253e7e79770237cdeb5);
  (2, 0xfa5cf9387167e3d1838000, -0xb7253e7e7976ffead6025)].
Definition levels : seq Z := [:: 0x275b97cca4862c55296099; 0x275b97cca4862c55296099; 0x275b97cca4862b4400ca25; 0x1bfb77f3e8180b8c556d95; 0x1bfb77f3e8180b7f0c4af8; 0x1bfb77f3e8180b7f0c4af8].

Local Close Scope Z_scope.
Import GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Lemma lower_checked : check_softmax_lower the_problem masses the_dual digits logs lower.
Proof. vm_cast_no_check (erefl true). Qed.
Lemma upper_checked : check_softmax_upper the_problem masses digits the_point levels upper.
Proof. vm_cast_no_check (erefl true). Qed.
Lemma gap_checked : Qle_bool (upper - lower)%binQ gap.
Proof. vm_cast_no_check (erefl true). Qed.

Theorem lower_bound (R : rcfType) (E : exponential R) (N : nat) (lab : 'I_N -> 'I_6) :
  sizes_are lab sizes ->
  forall d (W : 'M[R]_(3, d)) (H : 'M[R]_(d, N)) (b : 'cV[R]_3),
  bias_allowed (@FreeBias R) b ->
  qr R lower <= ufm (softmax_loss E (group_mass masses R lab)
      (matz R 3 6 tags *m onehot R lab)) (qr R lambda_W) (qr R lambda_H) (@FreeBias R) W H b.
Proof. exact: (tags_lower_claim E lower_checked). Qed.

Theorem upper_bound (R : rcfType) (E : exponential R) (N : nat) (lab : 'I_N -> 'I_6) :
  sizes_are lab sizes ->
  ufm (softmax_loss E (group_mass masses R lab)
      (matz R 3 6 tags *m onehot R lab)) (qr R lambda_W) (qr R lambda_H) (@FreeBias R)
      (point_weights the_problem the_point R)
      (point_features the_problem the_point R *m onehot R lab)
      (point_bias the_problem the_point R)
  <= qr R upper.
Proof. by move=> h; have [_] := tags_upper_claim E upper_checked h. Qed.

Theorem certified_gap (R : rcfType) (E : exponential R) (N : nat) (lab : 'I_N -> 'I_6) :
  sizes_are lab sizes ->
  forall d (W : 'M[R]_(3, d)) (H : 'M[R]_(d, N)) (b : 'cV[R]_3),
  bias_allowed (@FreeBias R) b ->
  ufm (softmax_loss E (group_mass masses R lab)
      (matz R 3 6 tags *m onehot R lab)) (qr R lambda_W) (qr R lambda_H) (@FreeBias R)
      (point_weights the_problem the_point R)
      (point_features the_problem the_point R *m onehot R lab)
      (point_bias the_problem the_point R)
  - ufm (softmax_loss E (group_mass masses R lab)
      (matz R 3 6 tags *m onehot R lab)) (qr R lambda_W) (qr R lambda_H) (@FreeBias R) W H b <= qr R gap.
Proof.
move=> h d W H b ok.
exact: gap_sound gap_checked (upper_bound E h) (lower_bound E h W H ok).
Qed.
Print Assumptions certified_gap.

(** The same over the real numbers of Coq's standard library. *)
From mathcomp Require Import Rstruct.
From UFM Require Import Reals.
Definition certified_gap_R := @certified_gap R_rcfType R_exponential.
Definition lower_bound_R := @lower_bound R_rcfType R_exponential.
Print Assumptions certified_gap_R.
